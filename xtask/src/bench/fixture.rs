//! Fixture: one upstream, and before it an Envoy for each contestant.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Contestant, Kind, policies};
use crate::envoy::{Bootstrap, Envoy, Listener, Plugin, route};
use crate::{build, tools, wasm};

/// The Envoys that are measured, and the one behind them.
pub(super) struct BenchFixture {
    contestants: Vec<(Contestant, Envoy)>,
    _upstream: Envoy,
}

/// The modules that are measured.
struct Modules {
    empty: PathBuf,
    floor: PathBuf,
    corsward: PathBuf,
    earlier: Option<PathBuf>,
}

// === impl BenchFixture ===

impl BenchFixture {
    /// Starts all of it, and checks that each contestant answers as it should.
    pub(super) fn start(
        scratch: &Path,
        contestants: &[Contestant],
        earlier: Option<&Path>,
    ) -> Result<Self> {
        let modules = Modules { earlier: earlier.map(Path::to_owned), ..Modules::build()? };
        let binary = tools::envoy(tools::ENVOY_VERSION)?;
        let upstream = Envoy::start(&binary, &upstream_bootstrap(), &scratch.join("upstream"))?;
        let behind = upstream.address("upstream")?;
        let mut started = Vec::new();
        for &contestant in contestants {
            let bootstrap = contestant.bootstrap(&modules, behind)?;
            let directory = scratch.join(contestant.name().replace(' ', "-"));
            started.push((contestant, Envoy::start(&binary, &bootstrap, &directory)?));
        }
        let fixture = Self { contestants: started, _upstream: upstream };
        fixture.check()?;
        Ok(fixture)
    }

    /// The process of a contestant.
    pub(super) fn pid(&self, contestant: Contestant) -> u32 {
        self.envoy(contestant).pid()
    }

    /// The address of a contestant for requests of a kind.
    pub(super) fn address(&self, contestant: Contestant, kind: Kind) -> SocketAddr {
        let address = self.envoy(contestant).address(listener_name(contestant, kind));
        address.expect("each contestant has a listener for each kind")
    }

    fn envoy(&self, contestant: Contestant) -> &Envoy {
        let found = self.contestants.iter().find(|(candidate, _)| *candidate == contestant);
        &found.expect("every contestant was started").1
    }

    /// A filter that does not do its work is fast.
    fn check(&self) -> Result<()> {
        for &(contestant, _) in &self.contestants {
            for kind in Kind::ALL {
                let url = format!("http://{}/", self.address(contestant, kind));
                let mut request = ureq::http::Request::builder().method(kind.method()).uri(url);
                for (name, value) in kind.headers() {
                    request = request.header(*name, *value);
                }
                let response = ureq::run(request.body(())?)?;
                let shared = response.headers().contains_key("access-control-allow-origin");
                ensure!(
                    shared == contestant.shares(kind),
                    "{}, {}: {response:?}",
                    contestant.name(),
                    kind.name()
                );
            }
        }
        Ok(())
    }
}

// === impl Modules ===

impl Modules {
    fn build() -> Result<Self> {
        let corsward = wasm::build()?;
        let mut cargo = wasm::cargo()?;
        cargo.args(["-p", "corsward-bench-empty", "-p", "corsward-bench-floor"]);
        let files = build::artifacts(&mut cargo)?;
        let named = |name: &str| {
            let file = files.iter().find(|file| file.ends_with(name));
            file.cloned().with_context(|| format!("cargo built no {name}"))
        };
        Ok(Self {
            empty: named("corsward_bench_empty.wasm")?,
            floor: named("corsward_bench_floor.wasm")?,
            corsward,
            earlier: None,
        })
    }
}

// === impl Contestant ===

impl Contestant {
    fn bootstrap(self, modules: &Modules, upstream: SocketAddr) -> Result<Bootstrap> {
        let mut bootstrap = Bootstrap::new().upstream("upstream", upstream);
        // One listener is enough for all kinds, but for the floor, which cannot tell them apart.
        let kinds = if self == Self::Floor { &Kind::ALL[..] } else { &Kind::ALL[..1] };
        for &kind in kinds {
            let mut listener = Listener::new(listener_name(self, kind)).virtual_host(self.routes());
            if let Some(filter) = self.filter(modules, kind)? {
                listener = listener.http_filter(filter);
            }
            bootstrap = bootstrap.listener(listener);
        }
        Ok(bootstrap)
    }

    fn filter(self, modules: &Modules, kind: Kind) -> Result<Option<Value>> {
        Ok(match self {
            Self::Nothing => None,
            Self::Native => Some(json!({
                "name": "envoy.filters.http.cors",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors",
                },
            })),
            Self::Empty => Some(Plugin::new(&modules.empty).named("empty").http_filter()),
            Self::Floor => {
                let plugin = Plugin::new(&modules.floor).named("floor");
                Some(plugin.configured(kind.script()).http_filter())
            }
            Self::Corsward => {
                Some(Plugin::new(&modules.corsward).configured(policies::one()?).http_filter())
            }
            Self::Earlier => {
                let module = modules.earlier.as_ref().context("--against names a module")?;
                Some(Plugin::new(module).configured(policies::one()?).http_filter())
            }
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
        matches!(self, Self::Native | Self::Floor | Self::Corsward | Self::Earlier)
            && matches!(kind, Kind::Allowed | Kind::Preflight)
    }
}

fn listener_name(contestant: Contestant, kind: Kind) -> &'static str {
    if contestant == Contestant::Floor { kind.name() } else { Kind::NoOrigin.name() }
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
