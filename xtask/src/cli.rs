//! The subcommands and their manual.

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    archives, atlas, bench, cluster, demo, e2e, fuzz, generate, images, lint, native, playground,
    test, wasm,
};

/// Everything one does with corsward's sources, each by one subcommand
///
/// Each subcommand fetches or builds its missing tools (the wasm target, Envoy, an API server, a browser …) into
/// ~/.cache/corsward or, as root on Debian, installs them with apt-get, and says so. ENVOY_BIN, CHROMIUM_BIN,
/// HELM_BIN and the like name a program of your own instead, and KUBEBUILDER_ASSETS a folder with kube-apiserver,
/// etcd and kubectl.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Subcommand, Debug)]
enum Command {
    /// Show CORS at work: operator, Envoy and sample back ends, on this machine
    ///
    /// Without arguments: an API whose routes behave like real back ends, the policies of examples/policies, and a
    /// page of a second origin that shows the browser's result for each answer. Edit a policy and watch the table
    /// change. With --policies and --upstream: your own server behind your own policies. `ready` alone on a line says
    /// that the policies are in force; Ctrl-C ends it.
    #[command(after_long_help = "Examples:
  cargo xtask demo           until Ctrl-C; prints the addresses to open
  cargo xtask demo --once    the README's tour, checked
  cargo xtask demo --filter native    with the filter in Envoy's own process
  cargo xtask demo --policies cors --upstream 127.0.0.1:8000
                             your Django on 8000, behind the policies of the folder cors")]
    Demo(demo::Args),

    /// Prove everything: lints, unit tests, the built filter in a real Envoy and a browser, and the
    /// operator at a real API server
    ///
    /// Prints each command that it runs, and at the end cargo's own result line of each test
    /// binary. A plain `cargo test --workspace` runs the same tests without the lints.
    #[command(after_long_help = "Examples:
  cargo xtask test                 what CI runs first
  cargo xtask test --no-browser    without Chromium")]
    Test(test::Args),

    /// Prove it in a cluster: kind, Istio, and the back ends people have
    ///
    /// Makes a cluster, loads the images, installs the chart, runs every scenario in it, prints a line for each with its time,
    /// and removes the cluster. The logs and objects of a scenario that fails are kept in target/e2e.
    #[command(after_long_help = "Examples:
  cargo xtask e2e                                    every scenario, then other Envoys
  cargo xtask e2e 'under load'                       the scenarios with that in their name
  cargo xtask e2e --cluster corsward --keep Django   in the cluster of `cargo xtask cluster up`, which stays")]
    E2e(e2e::Args),

    /// Check format, lints, dependencies and generated files
    ///
    /// The filter is linted twice: natively with the rest, and for the target it is shipped for.
    /// cargo-deny checks dependencies by deny.toml, if it is installed.
    Lint,

    /// Build the filter as Envoy loads it, and check its size
    ///
    /// Prints where the module is and its size after each step: compiled by cargo, without the
    /// callbacks that corsward does not use, and optimized by wasm-opt. Fails above 200 KiB.
    #[command(after_long_help = "Example:
  cargo xtask wasm && cp target/wasm/corsward_filter.wasm /etc/envoy/corsward/")]
    Wasm,

    /// Build the filter as a dynamic module of Envoy, and check what it needs
    ///
    /// For an Envoy of your own, 1.38 or newer (docs/filter.md). Prints where the module is, its size, the libraries that it needs and
    /// the oldest glibc that it runs with. Fails where Envoy's image may lack one of them.
    #[command(after_long_help = "Examples:
  cargo xtask native                 target/native/libcorsward-VERSION.so
  cargo xtask native --arch arm64    target/native/libcorsward-VERSION-arm64.so")]
    Native(native::Args),

    /// Write docs/playground.html, a page that runs `corsward check` and `corsward explain` in a browser
    ///
    /// One file without any other resource: the command, compiled to WebAssembly, the examples and the findings. Prints its path and
    /// its address.
    #[command(after_long_help = "Example:
  cargo xtask playground && chromium docs/playground.html")]
    Playground,

    /// Build the images: the filter's module as Istio fetches it, and the operator
    ///
    /// Writes target/images/corsward-filter (an OCI image layout) and corsward-filter.tar, checks them as Istio's
    /// agent does, and prints the digests. The same module always has the same ones.
    #[command(after_long_help = "Examples:
  cargo xtask images               the filter's
  cargo xtask images --operator    and the operator's: static, built here, packed by docker where it answers")]
    Images(images::Args),

    /// Build what users of the command `corsward` fetch
    ///
    /// Writes target/archives/corsward-VERSION-linux-ARCH.tar.gz for each architecture, with its SHA-256 digest: a static
    /// binary, completions and man pages. With --url: krew's manifest for the archives in that folder, of amd64 and of arm64.
    #[command(after_long_help = "Examples:
  cargo xtask archives                       for this machine
  cargo xtask archives --arch amd64,arm64    for both architectures
  cargo xtask archives --url https://downloads.example/corsward/v0.1.0    and krew's manifest for them")]
    Archives(archives::Args),

    /// Make, fill and delete a Kubernetes cluster on this machine, with Istio in it
    ///
    /// By kind, with docker. On a machine that can pull no image (as root on Debian) everything is made here: the
    /// docker engine, the node and Kubernetes' programs, istiod, and proxies of stock Envoy.
    #[command(after_long_help = "Examples:
  cargo xtask cluster up                  prints the KUBECONFIG to use
  cargo xtask cluster load                the images that tests need, into its node
  cargo xtask cluster up --name two       a second one beside it
  cargo xtask cluster down")]
    Cluster(cluster::Args),

    /// Write the files that are generated and committed
    ///
    /// crds/*.yaml, from the types of the operator; policy/manifest/src/knowledge/ancestors.txt, from the
    /// rules of the public suffix list; docs/data-path.svg, from docs/data-path.txt; docs/atlas.md and docs/atlas.svg,
    /// from tests/atlas/answers.jsonl; and the chart's copies of the definitions
    /// and its table of values.
    #[command(after_long_help = "Examples:
  cargo xtask generate             after a change of operator/api
  cargo xtask generate --check     is anything out of date?")]
    Generate(generate::Args),

    /// Try the laws of the core on random inputs
    ///
    /// Needs the nightly toolchain and cargo-fuzz; both are installed when rustup is here.
    #[command(after_long_help = "Examples:
  cargo xtask fuzz                            every target for a minute
  cargo xtask fuzz wire_decode --seconds 600  one target for ten")]
    Fuzz(fuzz::Args),

    /// Measure what the filter costs, beside nothing, Envoy's own filter, and the least a filter can cost
    ///
    /// CPU for each request, latency, memory, and the core by itself; takes about six minutes on an
    /// otherwise idle machine, prints its tables and writes docs/benchmarks.md.
    #[command(after_long_help = "Examples:
  cargo xtask bench
  cargo xtask bench --rounds 1 --no-write    a quick look
  cargo xtask bench --control-plane          the operator, before an API server with 10 000 policies
  cargo xtask bench --control-plane --against ../earlier/corsward-operator   beside an earlier build, in turn
  cargo xtask bench --controller --no-write  the same without an API server, where the time of a start goes
  cargo xtask bench --command --against ../earlier/corsward                  the command, beside an earlier one
  cargo xtask bench --against ../earlier/corsward_filter.wasm                the same of the filter's module")]
    Bench(bench::Args),

    /// Measure the answers of real CORS implementations, and compare them with those of docs/atlas.md
    ///
    /// Installs the packages that tests/atlas pins (pip, npm, go, cargo, Maven) and Envoy. nginx, Apache httpd, HAProxy,
    /// Java, Maven and Node.js are those of the PATH, or of Debian where they may be installed; an implementation without
    /// its program is skipped by name, with a hint how to install it. Starts each application with each setting, sends
    /// the probes, prints each change, and fails if there is one.
    #[command(after_long_help = "Examples:
  cargo xtask atlas               all of them; some minutes
  cargo xtask atlas gin Envoy     those with one of these texts in their name
  cargo xtask atlas HAProxy       one of them
  cargo xtask atlas --write       writes tests/atlas/answers.jsonl, docs/atlas.md and docs/atlas.svg")]
    Atlas(atlas::Args),

    /// Print what teaches your shell these subcommands, under the name `xtask`
    #[command(after_long_help = "Example:
  alias xtask='cargo xtask'
  cargo xtask completions bash > ~/.local/share/bash-completion/completions/xtask")]
    Completions {
        /// The shell to teach
        shell: Shell,
    },
}

/// Runs the subcommand that the command line names.
pub fn run() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

// === impl Command ===

impl Command {
    fn run(self) -> Result<()> {
        match self {
            Self::Demo(args) => demo::run(&args),
            Self::Test(args) => test::run(&args),
            Self::E2e(args) => e2e::run(&args),
            Self::Lint => lint::run(),
            Self::Wasm => wasm::run(),
            Self::Native(args) => native::run(&args),
            Self::Playground => playground::run(),
            Self::Images(args) => images::run(&args),
            Self::Archives(args) => archives::run(&args),
            Self::Cluster(args) => cluster::run(&args),
            Self::Generate(args) => generate::run(&args),
            Self::Fuzz(args) => fuzz::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Atlas(args) => atlas::run(&args),
            Self::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "xtask", &mut io::stdout());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_readme_commands_parse() {
        for line in [
            "xtask demo",
            "xtask demo --once --filter native",
            "xtask demo --policies cors --upstream 127.0.0.1:8000",
            "xtask test",
            "xtask test --no-browser",
            "xtask e2e",
            "xtask e2e --cluster corsward --keep Django",
            "xtask lint",
            "xtask wasm",
            "xtask native --arch arm64",
            "xtask playground",
            "xtask images --operator",
            "xtask archives --arch amd64,arm64 --url https://downloads.example/corsward",
            "xtask cluster up",
            "xtask cluster up --name two --no-istio --kubeconfig two.kubeconfig",
            "xtask cluster load --name two",
            "xtask cluster down --engine",
            "xtask generate --check",
            "xtask fuzz",
            "xtask fuzz wire_decode --seconds 5",
            "xtask bench --rounds 1 --no-write",
            "xtask bench --control-plane",
            "xtask bench --controller --policies 500 --namespaces 25",
            "xtask bench --control-plane --against ../earlier/corsward-operator",
            "xtask bench --command --against ../earlier/corsward-operator --called v1",
            "xtask bench --against ../earlier/corsward_filter.wasm --called v1",
            "xtask atlas",
            "xtask atlas gin Envoy --write",
            "xtask completions zsh",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
