//! Fixture: one upstream, and before it an Envoy for each chain of filters.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Chain, Contestant, Kind, policies};
use crate::envoy::{Bootstrap, Envoy, Listener, Plugin, route};
use crate::{build, command, native, tools, wasm};

/// The Envoys that are measured, and the one behind them.
pub(super) struct BenchFixture {
    chains: Vec<(Chain, Envoy)>,
    _upstream: Envoy,
}

/// The modules that are measured.
pub(super) struct Modules {
    empty: PathBuf,
    calls: PathBuf,
    pub(super) corsward: PathBuf,
    empty_native: PathBuf,
    pub(super) dynamic: PathBuf,
    earlier: Option<PathBuf>,
}

/// The name of the one listener.
const LISTENER: &str = "main";

// === impl BenchFixture ===

impl BenchFixture {
    /// Starts all of it, and checks that each chain answers as it should.
    pub(super) fn start(scratch: &Path, chains: &[Chain], modules: &Modules) -> Result<Self> {
        Self::start_as(&tools::envoy(tools::ENVOY_VERSION)?, scratch, chains, modules)
    }

    /// As [`BenchFixture::start`], with a program of its own as the Envoy of each chain.
    pub(super) fn start_as(
        envoy: &Path,
        scratch: &Path,
        chains: &[Chain],
        modules: &Modules,
    ) -> Result<Self> {
        let binary = tools::envoy(tools::ENVOY_VERSION)?;
        let upstream = Envoy::start(&binary, &upstream_bootstrap(), &scratch.join("upstream"))?;
        let behind = upstream.address("upstream")?;
        let mut started = Vec::new();
        for (number, &chain) in chains.iter().enumerate() {
            let bootstrap = chain.bootstrap(modules, behind)?;
            let directory = scratch.join(format!("chain-{number}"));
            started.push((chain, Envoy::start(envoy, &bootstrap, &directory)?));
        }
        let fixture = Self { chains: started, _upstream: upstream };
        fixture.check()?;
        Ok(fixture)
    }

    /// The process of a chain.
    pub(super) fn pid(&self, chain: Chain) -> Result<u32> {
        Ok(self.envoy(chain)?.pid())
    }

    /// The address of a chain.
    pub(super) fn address(&self, chain: Chain) -> Result<SocketAddr> {
        self.envoy(chain)?.address(LISTENER)
    }

    fn envoy(&self, chain: Chain) -> Result<&Envoy> {
        let found = self.chains.iter().find(|(candidate, _)| *candidate == chain);
        found.map(|(_, envoy)| envoy).with_context(|| format!("{chain:?} was not started"))
    }

    /// Sends a request to a chain.
    pub(super) fn send(
        &self,
        agent: &ureq::Agent,
        chain: Chain,
        kind: Kind,
    ) -> Result<ureq::http::Response<ureq::Body>> {
        let url = format!("http://{}/", self.address(chain)?);
        let mut request = ureq::http::Request::builder().method(kind.method()).uri(url);
        for (name, value) in kind.headers() {
            request = request.header(*name, *value);
        }
        Ok(agent.run(request.body(())?)?)
    }

    /// A filter that does not do its work is fast.
    fn check(&self) -> Result<()> {
        let agent = ureq::Agent::new_with_defaults();
        for &(chain, _) in &self.chains {
            for kind in Kind::ALL {
                let response = self.send(&agent, chain, kind)?;
                let shared = response.headers().contains_key("access-control-allow-origin");
                ensure!(
                    shared == chain.contestant.shares(kind),
                    "{chain:?}, {}: {response:?}",
                    kind.name()
                );
            }
        }
        Ok(())
    }
}

// === impl Modules ===

impl Modules {
    /// Builds them, but for an earlier build.
    pub(super) fn build(earlier: Option<&Path>) -> Result<Self> {
        let (corsward, dynamic) = (wasm::build()?, native::build()?);
        let mut cargo = command::cargo();
        cargo.args(["build", "--profile", "native", "-p", "corsward-bench-empty-native"]);
        let empty_native = build::artifact(&mut cargo, "libcorsward_bench_empty_native.so")?;
        let bare = |package: &str, file: &str| {
            let mut cargo = wasm::cargo()?;
            cargo.args(["-p", package]);
            build::artifact(&mut cargo, file)
        };
        let empty = bare("corsward-bench-empty", "corsward_bench_empty.wasm")?;
        let calls = bare("corsward-bench-calls", "corsward_bench_calls.wasm")?;
        let earlier = earlier.map(Path::to_owned);
        Ok(Self { empty, calls, corsward, empty_native, dynamic, earlier })
    }
}

// === impl Chain ===

impl Chain {
    fn bootstrap(self, modules: &Modules, upstream: SocketAddr) -> Result<Bootstrap> {
        let mut listener = Listener::new(LISTENER).virtual_host(self.contestant.routes());
        if let Some(filter) = self.contestant.filter(modules)? {
            for _ in 0..self.copies {
                listener = listener.http_filter(filter.clone());
            }
        }
        Ok(Bootstrap::new().upstream("upstream", upstream).listener(listener))
    }
}

// === impl Contestant ===

impl Contestant {
    fn filter(self, modules: &Modules) -> Result<Option<Value>> {
        let corsward = |module: &Path| -> Result<Value> {
            Ok(Plugin::new(module).configured(policies::one()?).http_filter())
        };
        Ok(match self {
            Self::Nothing => None,
            Self::Native => Some(json!({
                "name": "envoy.filters.http.cors",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors",
                },
            })),
            Self::Empty => Some(Plugin::new(&modules.empty).named("empty").http_filter()),
            Self::Calls => Some(Plugin::new(&modules.calls).named("calls").http_filter()),
            Self::Earlier => {
                Some(corsward(modules.earlier.as_ref().context("--against names a module")?)?)
            }
            Self::Corsward => Some(corsward(&modules.corsward)?),
            Self::Module => Some(Plugin::new(&modules.empty_native).named("empty").http_filter()),
            Self::Inert => Some(Plugin::new(&modules.dynamic).http_filter()),
            Self::Dynamic => Some(corsward(&modules.dynamic)?),
        })
    }

    fn routes(self) -> Value {
        let mut host = json!({
            "name": "every", "domains": ["*"], "routes": [route("/", "upstream")],
        });
        if self == Self::Native {
            host["typed_per_filter_config"] =
                json!({ "envoy.filters.http.cors": policies::native() });
        }
        host
    }

    /// Does the answer say that it is shared?
    fn shares(self, kind: Kind) -> bool {
        let may_share = self.answers_preflights() || self == Self::Calls;
        may_share && matches!(kind, Kind::Allowed | Kind::Preflight)
    }
}

/// Answers everything at once, in a process of its own, so that it is not measured.
fn upstream_bootstrap() -> Bootstrap {
    let answer = json!({
        "match": { "prefix": "/" },
        "direct_response": { "status": 200, "body": { "inline_string": "hello\n" } },
        "response_headers_to_add": [
            { "header": { "key": "vary", "value": "accept-encoding" } },
            { "header": { "key": "cache-control", "value": "max-age=60" } },
        ],
    });
    Bootstrap::new().listener(Listener::new("upstream").routes([answer]))
}
