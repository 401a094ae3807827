//! A real Kubernetes API server with a store of its own, on this machine, without anything that runs pods.
//!
//! There is no controller manager: namespaces get no ServiceAccount, their deletion never finishes, and dependents of a
//! deleted owner stay. Tests that need those steps take them.

mod api;
mod audit;
mod store;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

pub use api::{Answer, Api};
pub use audit::Asked;
pub use store::Store;

use crate::process::Process;
use crate::tools::Kubernetes;
use crate::{command, ports, tools, wait};

/// Timeout for readiness: three seconds are enough on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The administrator's token. The servers listen on the loopback interface, for the duration of a test.
const ADMIN_TOKEN: &str = "administrator";

/// A running API server; everything that belongs to it ends with it.
#[derive(Debug)]
pub struct ApiServer {
    // Before the store and the folder: it ends first.
    server: Option<Process>,
    /// The proxy behind `api`.
    _proxy: Process,
    store: Store,
    api: Api,
    kubectl: PathBuf,
    program: PathBuf,
    port: u16,
    flags: Vec<String>,
    directory: TempDir,
    /// Number of kubeconfig files written.
    accounts: AtomicUsize,
}

/// The deviations of an API server from the plain one, by [`ApiServer::plan`].
#[derive(Debug, Default)]
pub struct ApiServerPlan {
    flags: Vec<String>,
    below: Option<PathBuf>,
}

// === impl ApiServerPlan ===

impl ApiServerPlan {
    /// With this flag of `kube-apiserver`.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Puts its folder below this one, for callers that never drop it.
    pub fn below(mut self, folder: &Path) -> Self {
        self.below = Some(folder.into());
        self
    }

    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Fails if a program is missing and cannot be built, or it does not get ready.
    pub fn start(self) -> Result<ApiServer> {
        let Kubernetes { apiserver, etcd, kubectl } = tools::kubernetes()?;
        let below = self.below.unwrap_or_else(std::env::temp_dir);
        let directory =
            tempfile::Builder::new().prefix("corsward-kubernetes-").tempdir_in(below)?;
        let store = Store::start(&etcd, directory.path())?;
        let port = ports::free();
        write_inputs(directory.path(), port)?;
        let server = serve(&apiserver, &store, port, &self.flags, directory.path())?;
        // kubectl reads the certificate that the server makes for itself.
        let certificate = directory.path().join("certificates/apiserver.crt");
        wait::until("the certificate of the API server", TIMEOUT, || {
            Ok(certificate.exists().then_some(()))
        })?;
        let mut administrator = Command::new(&kubectl);
        administrator.env("KUBECONFIG", directory.path().join("admin.kubeconfig"));
        let (proxy, api) = proxy(administrator)?;
        let mut server = ApiServer {
            server: Some(server),
            _proxy: proxy,
            store,
            api,
            kubectl,
            program: apiserver,
            port,
            flags: self.flags,
            directory,
            accounts: AtomicUsize::new(0),
        };
        server.wait_until_ready()?;
        Ok(server)
    }
}

// === impl ApiServer ===

impl ApiServer {
    /// One that has yet to start.
    pub fn plan() -> ApiServerPlan {
        ApiServerPlan::default()
    }

    /// A plain one, ready.
    ///
    /// # Errors
    ///
    /// As [`ApiServerPlan::start`].
    pub fn start() -> Result<Self> {
        Self::plan().start()
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Its folder, which goes with it: logs, kubeconfig files, and room for what a test writes.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("admin.kubeconfig")
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Plain requests, as the administrator.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// `kubectl`, as the administrator.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new(&self.kubectl);
        kubectl.env("KUBECONFIG", self.kubeconfig());
        // Not the user's cache of what other servers serve.
        kubectl.env("KUBECACHEDIR", self.directory.path().join("kubectl"));
        kubectl
    }

    /// Applies the objects of a file or folder, and waits until the definitions among them are served.
    ///
    /// # Errors
    ///
    /// With what the API server refuses.
    pub fn apply(&self, manifests: &Path) -> Result<()> {
        let mut apply = self.kubectl();
        apply.args(["apply", "--server-side", "--force-conflicts", "-o", "name", "-f"]);
        let applied = command::read(apply.arg(manifests))?;
        let applied = String::from_utf8(applied)?;
        let is_definition = |name: &&str| name.starts_with("customresourcedefinition");
        let definitions: Vec<_> = applied.lines().filter(is_definition).collect();
        if definitions.is_empty() {
            return Ok(());
        }
        let mut wait = self.kubectl();
        wait.args(["wait", "--for=condition=Established", "--timeout=60s"]).args(definitions);
        command::read(&mut wait).map(drop)
    }

    /// A kubeconfig for a ServiceAccount, which is made if it is not there: with a token that the API server issues, as pods get it.
    ///
    /// # Errors
    ///
    /// Fails if the API server issues none.
    pub fn service_account(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        if self.api.get(&format!("{accounts}/{name}"))?.is_none() {
            self.api.create(&accounts, &json!({ "metadata": { "name": name } }))?;
        }
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": { "expirationSeconds": 86_400 },
        });
        let issued = self.api.create(&format!("{accounts}/{name}/token"), &request)?;
        let token = issued["status"]["token"].as_str().context("the API server issues a token")?;
        let nth = self.accounts.fetch_add(1, Ordering::Relaxed);
        let file = self.directory.path().join(format!("{namespace}-{name}-{nth}.kubeconfig"));
        write_kubeconfig(&file, self.port, token, namespace)?;
        Ok(file)
    }

    /// The requests of a user so far: `system:serviceaccount:NAMESPACE:NAME`, say.
    ///
    /// # Errors
    ///
    /// Fails if the audit log cannot be read.
    pub fn asked_by(&self, user: &str) -> Result<Vec<Asked>> {
        audit::asked_by(&self.directory.path().join("audit.log"), user)
    }

    /// Kills the API server, as a power cut would; the store stays.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again at the same address with the same store, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Fails if it does not get ready.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        let directory = self.directory.path();
        self.server = Some(serve(&self.program, &self.store, self.port, &self.flags, directory)?);
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let ready = wait::until("the API server to be ready", TIMEOUT, || {
            if let Some(ended) = self.server.as_mut().and_then(|s| s.exited().transpose()) {
                bail!("it ended: {}", ended?);
            }
            let listens = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).is_ok();
            Ok((listens && self.api.text("/readyz").is_ok_and(|said| said == "ok")).then_some(()))
        });
        ready.with_context(|| tail_of(&self.directory.path().join("kube-apiserver.log")))
    }
}

/// Writes the API server's input files: tokens, and the audit policy.
fn write_inputs(directory: &Path, port: u16) -> Result<()> {
    let tokens = format!("{ADMIN_TOKEN},administrator,administrator,system:masters\n");
    fs::write(directory.join("tokens.csv"), tokens)?;
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        // Watches are written down when they begin, not only when they end.
        "omitStages": ["RequestReceived"],
        "rules": [
            { "level": "None", "users": ["system:apiserver", "administrator"] },
            { "level": "Metadata" },
        ],
    });
    fs::write(directory.join("audit-policy.yaml"), policy.to_string())?;
    write_kubeconfig(&directory.join("admin.kubeconfig"), port, ADMIN_TOKEN, "default")
}

fn write_kubeconfig(file: &Path, port: u16, token: &str, namespace: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": "certificates/apiserver.crt",
        } }],
        "users": [{ "name": "user", "user": { "token": token } }],
        "contexts": [{ "name": "test", "context": {
            "cluster": "test", "user": "user", "namespace": namespace,
        } }],
        "current-context": "test",
    });
    fs::write(file, config.to_string()).with_context(|| format!("cannot write {}", file.display()))
}

fn serve(
    program: &Path,
    store: &Store,
    port: u16,
    flags: &[String],
    directory: &Path,
) -> Result<Process> {
    let mut serve = Command::new(program);
    serve.current_dir(directory).args([
        "--bind-address=127.0.0.1",
        // It makes this key and certificate for itself; the key signs ServiceAccounts' tokens too.
        "--cert-dir=certificates",
        "--service-account-signing-key-file=certificates/apiserver.key",
        "--service-account-key-file=certificates/apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--authorization-mode=RBAC",
        "--token-auth-file=tokens.csv",
        "--audit-policy-file=audit-policy.yaml",
        "--audit-log-path=audit.log",
    ]);
    serve.arg(format!("--secure-port={port}")).arg(format!("--etcd-servers={}", store.url()));
    serve.args(flags);
    log_to(&directory.join("kube-apiserver.log"), &mut serve)?;
    Process::spawn("kube-apiserver", serve)
}

/// Plain requests to the API server that `kubectl` asks, for clients without TLS: `kubectl proxy`.
///
/// # Errors
///
/// Fails if the proxy does not start.
pub fn proxy(mut proxy: Command) -> Result<(Process, Api)> {
    proxy.args(["proxy", "--port=0", "--disable-filter"]);
    proxy.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null());
    let mut proxy = Process::spawn("kubectl proxy", proxy)?;
    let mut said = String::new();
    BufReader::new(proxy.stdout().context("kubectl's output is a pipe")?).read_line(&mut said)?;
    let address: Option<SocketAddr> =
        said.trim().rsplit(' ').next().and_then(|address| address.parse().ok());
    let address = address.with_context(|| format!("kubectl proxy says {said:?}"))?;
    Ok((proxy, Api::new(address)))
}

/// Lets a server write its log to the end of a file.
fn log_to(file: &Path, server: &mut Command) -> Result<()> {
    let log = File::options().create(true).append(true).open(file)?;
    server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(())
}

fn tail_of(log: &Path) -> String {
    const LINES: usize = 15;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(LINES)..];
    format!("{} ends:\n  {}", log.display(), end.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_serves_is_killed_restarted_and_knows_what_it_was_told() {
        let mut server = ApiServer::start().unwrap();
        let bob = server.service_account("default", "bob").unwrap();
        let asked = Command::new(&server.kubectl)
            .args(["get", "pods"])
            .env("KUBECONFIG", &bob)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&asked.stderr).into_owned();
        assert!(said.contains("Forbidden"), "{said}");
        let asked = server.asked_by("system:serviceaccount:default:bob").unwrap();
        let pods = asked.iter().find(|asked| asked.resource == "pods").unwrap();
        assert_eq!((pods.verb.as_str(), pods.allowed, pods.status), ("list", false, 403));

        server.kill();
        assert!(server.api().get("/version").is_err());
        server.restart().unwrap();
        let path = "/api/v1/namespaces/default/serviceaccounts/bob";
        assert!(server.api().get(path).unwrap().is_some());
        assert!(server.api().get("/api/v1/namespaces/nowhere").unwrap().is_none());
    }

    #[test]
    fn its_store_is_paused_and_forgets() {
        let server = ApiServer::start().unwrap();
        let maps = "/api/v1/namespaces/default/configmaps";
        server.store().pause().unwrap();
        let write = json!({ "metadata": { "name": "a" } });
        let refused = server.api().create(&format!("{maps}?timeout=1s"), &write);
        server.store().resume().unwrap();
        assert!(refused.is_err(), "{refused:?}");
        server.store().knows_revision(1).unwrap();
        server.store().compact().unwrap();
        assert!(server.store().knows_revision(1).is_err());
    }
}
