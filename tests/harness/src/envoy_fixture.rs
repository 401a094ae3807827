//! Envoy fixture: a real Envoy with the built module first in its chain, in front of a controllable upstream.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use corsward_policy::Workload;
use corsward_policy::wire::OnInvalid;
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::envoy::{Bootstrap, Envoy, Listener, Plugin, Refusals, Shell, Slot, Stats, route};
use xtask::{native, tools, wasm};

use crate::answer::Answer;
use crate::case::{self, Case, Request};
use crate::series::{self, Series};
use crate::upstream::{self, Upstream};
use crate::{client, policies};
use corsward_browser::CredentialsMode;

/// A running Envoy and all that belongs to it; everything ends with it.
#[derive(Debug)]
pub struct EnvoyFixture {
    envoy: Envoy,
    upstream: Upstream,
    slot: Slot,
    plugin: Plugin,
    workers: u32,
    /// Number of configurations published.
    published: usize,
    /// The last one of them.
    configuration: String,
    /// The files that Envoy reads, and its log.
    directory: TempDir,
}

/// A way to send a request with more header lines, and to read its answer.
pub type Send = fn(SocketAddr, &Request, &[(&str, &str)]) -> Result<Answer>;

/// The deviations of a fixture from the plain one, by [`EnvoyFixture::plan`].
#[derive(Debug)]
pub struct EnvoyFixturePlan {
    directory: TempDir,
    upstream: Upstream,
    slot: Slot,
    plugin: Plugin,
    listener: Listener,
    more_filters: Vec<Value>,
    routes: Vec<Value>,
    upstream_prefix: String,
    bootstrap: Bootstrap,
    envoy_version: String,
}

// === impl EnvoyFixturePlan ===

impl EnvoyFixturePlan {
    /// With this filter behind ours.
    pub fn filter(mut self, filter: Value) -> Self {
        self.more_filters.push(filter);
        self
    }

    /// With Envoy's own path normalization.
    pub fn normalize_path(mut self) -> Self {
        self.listener = self.listener.normalize_path();
        self
    }

    /// With a line in this file about each refused request.
    pub fn refusals(mut self, file: &std::path::Path) -> Self {
        self.listener = self.listener.refusals(Refusals::File(file.into()));
        self
    }

    /// With changes to the replies of Envoy and its filters.
    pub fn local_reply_config(mut self, config: Value) -> Self {
        self.listener = self.listener.local_reply_config(config);
        self
    }

    /// With this route before the one to the upstream.
    pub fn route(mut self, route: Value) -> Self {
        self.routes.push(route);
        self
    }

    /// With the upstream only under this path; elsewhere there is no route.
    pub fn only_under(mut self, prefix: &str) -> Self {
        self.upstream_prefix = prefix.into();
        self
    }

    /// Without anything to run before the first good configuration, as Istio has it.
    pub fn without_default(mut self) -> Self {
        self.slot = self.slot.without_default();
        self
    }

    /// With this change to the bootstrap: clusters, workers, further listeners.
    pub fn bootstrap(mut self, change: impl FnOnce(Bootstrap) -> Bootstrap) -> Self {
        self.bootstrap = change(self.bootstrap);
        self
    }

    /// With an Envoy of this version.
    pub fn envoy_version(mut self, version: &str) -> Self {
        self.envoy_version = version.into();
        self
    }

    /// The path of the slot's file.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The module, configured to do nothing.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// The folder of the slots' files.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Starts it with the content of the slot's file, else with the inert default.
    pub fn start(self) -> Result<EnvoyFixture> {
        let Self {
            directory,
            upstream,
            slot,
            plugin,
            mut listener,
            more_filters,
            routes,
            upstream_prefix,
            bootstrap,
            envoy_version,
        } = self;
        if !slot.file().exists() {
            slot.publish(&plugin, "0")?;
        }
        listener = listener.http_filter(slot.http_filter());
        for filter in more_filters {
            listener = listener.http_filter(filter);
        }
        let routes = routes.into_iter().chain([route(&upstream_prefix, "upstream")]);
        let bootstrap =
            bootstrap.listener(listener.routes(routes)).upstream("upstream", upstream.address());
        let binary = tools::envoy(&envoy_version)?;
        let envoy = Envoy::start(&binary, &bootstrap, directory.path())?;
        let (workers, published, configuration) = (bootstrap.workers(), 0, String::new());
        Ok(EnvoyFixture {
            envoy,
            upstream,
            slot,
            plugin,
            workers,
            published,
            configuration,
            directory,
        })
    }
}

// === impl EnvoyFixture ===

impl EnvoyFixture {
    /// A stand that has yet to start.
    pub fn plan() -> Result<EnvoyFixturePlan> {
        Self::plan_with(Plugin::new(&module()?))
    }

    /// The same with a different module, be it that of a different shell, or a different failure policy.
    pub fn plan_with(plugin: Plugin) -> Result<EnvoyFixturePlan> {
        let directory = TempDir::new()?;
        let slot = Slot::new(directory.path(), plugin.clone());
        Ok(EnvoyFixturePlan {
            directory,
            upstream: Upstream::start()?,
            slot,
            plugin,
            listener: Listener::new("main"),
            more_filters: Vec::new(),
            routes: Vec::new(),
            upstream_prefix: "/".into(),
            bootstrap: Bootstrap::new(),
            envoy_version: envoy_version(),
        })
    }

    /// A plain one, running these policies.
    pub fn running(objects: &[&Value]) -> Result<Self> {
        let mut fixture = Self::plan()?.start()?;
        fixture.configure(objects)?;
        Ok(fixture)
    }

    /// Publishes these policies and waits until Envoy runs them.
    pub fn configure(&mut self, objects: &[&Value]) -> Result<()> {
        self.configure_for(&objects.iter().map(|object| (*object, &[][..])).collect::<Vec<_>>())
    }

    /// The same with policies each of which is for some workloads only.
    pub fn configure_for(&mut self, objects: &[(&Value, &[Workload])]) -> Result<()> {
        let sentinel = self.sentinel();
        let mut objects = objects.to_vec();
        objects.push((&sentinel, &[]));
        let (compiled, _) = policies::compile_for(&objects)?;
        self.publish(&policies::envelope(compiled, OnInvalid::Reject))?;
        self.wait_for_sentinel(&sentinel)
    }

    /// Publishes any plugin configuration, and waits for nothing.
    pub fn publish(&mut self, configuration: &str) -> Result<()> {
        self.published += 1;
        configuration.clone_into(&mut self.configuration);
        let plugin = self.plugin.clone().configured(configuration);
        Ok(self.slot.publish(&plugin, &self.published.to_string())?)
    }

    /// Writes a configuration as [`EnvoyFixture::publish`] would, but into the folder `..version`, where Envoy does not look.
    pub fn stage(&mut self, configuration: &str, version: &str) -> Result<()> {
        self.published += 1;
        let folder = self.directory.path().join(format!("..{version}"));
        std::fs::create_dir(&folder)?;
        let plugin = self.plugin.clone().configured(configuration);
        Ok(Slot::new(&folder, self.plugin.clone()).publish(&plugin, version)?)
    }

    /// A policy that only the next configuration has: where it answers, that one is in force.
    pub fn sentinel(&self) -> Value {
        let name = format!("generation-{}", self.published + 1);
        let spec = json!({ "cors": { "allowOrigins": ["https://stand.test"] } });
        policies::policy("stand", &name, spec.as_object().cloned().unwrap_or_default())
    }

    /// Waits until a sentinel answers.
    pub fn wait_for_sentinel(&mut self, sentinel: &Value) -> Result<()> {
        let host = sentinel["spec"]["hostnames"][0].as_str().context("a sentinel has a host")?;
        let address = self.address()?;
        let request = preflight(host, "https://stand.test", "GET");
        self.envoy.wait_for(&format!("the configuration of {host}"), |_| {
            Ok(client::send(address, &request, &[])?.get("access-control-allow-origin").is_some())
        })
    }

    /// Answers a case as this Envoy does.
    pub fn answer(&self, case: &Case) -> Result<Answer> {
        self.answer_to(case, client::send)
    }

    /// The same, with the request sent in this way.
    pub fn answer_to(&self, case: &Case, send: Send) -> Result<Answer> {
        let id = case.id();
        self.upstream.answer(&id, case.upstream.clone());
        let before = self.upstream.received(&id).len();
        let mut answer = send(self.address()?, &case.request, &[(upstream::CASE, &id)])?;
        let received = self.upstream.received(&id);
        answer.upstream_reached = received.len() > before;
        answer.received = received.into_iter().nth(before).map(|request| request.headers);
        Ok(answer)
    }

    /// Sends a request, with more header lines.
    pub fn send(&self, request: &Request, more: &[(&str, &str)]) -> Result<Answer> {
        client::send(self.address()?, request, more)
    }

    /// Its address.
    pub fn address(&self) -> Result<SocketAddr> {
        self.address_of("main")
    }

    /// The address of a further listener.
    pub fn address_of(&self, listener: &str) -> Result<SocketAddr> {
        self.envoy.address(listener)
    }

    /// Its Envoy.
    pub fn envoy(&mut self) -> &mut Envoy {
        &mut self.envoy
    }

    /// Its upstream.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Counters and gauges of its Envoy by name.
    pub fn stats(&self) -> Result<Stats> {
        self.envoy.stats()
    }

    /// A counter or gauge of the filter without labels, such as `config.digest`.
    pub fn stat(&self, name: &str) -> String {
        self.plugin.shell().stat(name)
    }

    /// The filter's metrics, with all that was counted until now: a shell may pass values to Envoy later, but with each
    /// configuration, so the last one is published once more, one space longer. The machines of the workers read it last.
    pub fn series(&mut self) -> Result<Series> {
        let accepted = self.stat("config.accepted");
        let before = self.envoy.admin().stat(&accepted)?.unwrap_or_default();
        let all = before + self.times_accepted();
        self.publish(&format!("{} ", self.configuration))?;
        self.envoy.wait_for("the same configuration again", |admin| {
            Ok(admin.stat(&accepted)? >= Some(all))
        })?;
        Ok(series::read(&self.envoy.admin().prometheus()?))
    }

    /// Waits until each of the workers runs the first configuration after the default one.
    pub fn wait_for_workers(&mut self) -> Result<()> {
        let (accepted, want) = (self.stat("config.accepted"), Some(2 * self.times_accepted()));
        self.envoy.wait_for("all workers", |admin| Ok(admin.stat(&accepted)? >= want))
    }

    /// How often a configuration is accepted.
    fn times_accepted(&self) -> u64 {
        match self.plugin.shell() {
            // In a machine to try it in, in that of the main thread, and then in those of the workers.
            Shell::Wasm => u64::from(self.workers) + 2,
            Shell::Native => 1,
        }
    }

    /// The place of its configuration.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Its folder.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// That the filter is as alive as at its start: nothing panicked, no virtual machine was lost.
    pub fn ensure_healthy(&self) -> Result<()> {
        let log = self.envoy.log()?;
        let cries = ["panicked", "wasm trap", "Function: proxy_on", "assert failure"];
        let told: Vec<&str> =
            log.lines().filter(|line| cries.iter().any(|cry| line.contains(cry))).collect();
        ensure!(told.is_empty(), "Envoy's log says:\n{}", told.join("\n"));
        let stats = self.envoy.stats()?;
        let is_failure = |name: &str| {
            name.starts_with("wasm.") && (name.contains("fail") || name.contains("crash"))
                || name.contains("vm_reload")
                || name == Shell::Native.stat("panics")
        };
        let failures: BTreeSet<_> =
            stats.iter().filter(|(name, count)| is_failure(name) && **count > 0).collect();
        ensure!(failures.is_empty(), "Envoy counts {failures:?}");
        Ok(())
    }
}

/// A plain request.
pub fn request(method: &str, host: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        method: method.into(),
        authority: host.into(),
        path: b"/".to_vec(),
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        credentials: CredentialsMode::Omit,
    }
}

/// A request from a different origin.
pub fn cross_origin(host: &str, origin: &str) -> Request {
    request("GET", host, &[("Origin", origin)])
}

/// A CORS-preflight request.
pub fn preflight(host: &str, origin: &str, method: &str) -> Request {
    request("OPTIONS", host, &[("Origin", origin), ("Access-Control-Request-Method", method)])
}

/// An upstream that answers with this status and nothing else.
pub fn plain_answer(status: u16) -> case::Upstream {
    case::Upstream { status, headers: Vec::new() }
}

/// The version of Envoy that stands start: what `CORSWARD_ENVOY_VERSION` says, else the one that everything is tried with.
pub fn envoy_version() -> String {
    let named = std::env::var_os(xtask::test::ENVOY_VERSION).filter(|version| !version.is_empty());
    named.map_or_else(|| tools::ENVOY_VERSION.into(), |version| version.to_string_lossy().into())
}

/// The shell of stands: what `CORSWARD_FILTER` says, else Wasm.
pub fn shell() -> Shell {
    let is_native = std::env::var_os(xtask::test::FILTER).is_some_and(|filter| filter == "native");
    if is_native { Shell::Native } else { Shell::Wasm }
}

/// The shells that the Envoys of stands can run: one before 1.38 loads no dynamic module of ours.
pub fn shells() -> &'static [Shell] {
    let version = envoy_version();
    let is_old = ["1.36.", "1.37."].iter().any(|old| version.starts_with(old));
    if is_old { &[Shell::Wasm] } else { &[Shell::Wasm, Shell::Native] }
}

/// The module: what `CORSWARD_WASM` names (a released one, say), else the one built from this tree for [`shell`], once per process.
pub fn module() -> Result<PathBuf> {
    match (shell(), std::env::var_os("CORSWARD_WASM")) {
        (Shell::Wasm, Some(named)) => Ok(named.into()),
        (shell, _) => module_for(shell),
    }
}

/// The module built from this tree for a shell, once per process.
pub fn module_for(shell: Shell) -> Result<PathBuf> {
    static WASM: Mutex<Option<PathBuf>> = Mutex::new(None);
    static NATIVE: Mutex<Option<PathBuf>> = Mutex::new(None);
    let (built, build): (_, fn() -> Result<PathBuf>) = match shell {
        Shell::Wasm => (&WASM, wasm::build),
        Shell::Native => (&NATIVE, native::build),
    };
    let mut built = built.lock().unwrap_or_else(PoisonError::into_inner);
    if built.is_none() {
        *built = Some(build()?);
    }
    built.clone().ok_or_else(|| anyhow!("the module was just built"))
}
