//! An API server with the resources that the operator works with, and the operator's own roles.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use corsward_test_harness::api_server;
use corsward_tests::suite;
use serde_json::json;
use xtask::command;
use xtask::kubernetes::{Api, ApiServer, ApiServerPlan};
use xtask::tools;

use super::{Operator, TestNamespace};

/// The operator's namespace, and its ServiceAccount's name.
pub(crate) const OPERATOR_NAMESPACE: &str = "corsward-system";

/// The module comes from an image, and reviews are left out: what most scenarios are not about.
const IMAGE: [&str; 6] = [
    "--set",
    "webhook.enabled=false",
    "--set",
    "module.from=oci",
    "--set",
    "module.oci.url=oci://registry.example/filter@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

/// The foreign resources that the operator uses.
const ASKED_FOR: [&str; 7] = [
    "wasmplugins.extensions.istio.io",
    "trafficextensions.extensions.istio.io",
    "envoyfilters.networking.istio.io",
    "virtualservices.networking.istio.io",
    "gatewayclasses.gateway.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io",
];

/// An API server that knows Istio's and the Gateway API's resources and ours.
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    kubeconfig: PathBuf,
}

/// The output of a program, and whether it succeeded.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) success: bool,
}

// === impl Cluster ===

impl Cluster {
    /// The one that ordinary scenarios share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        let plan = || ApiServer::plan().below(&leftovers());
        SHARED.get_or_init(|| Self::new(plan(), istio_and_gateways().iter().map(String::as_str)))
    }

    /// The same, with an operator that runs as long as the tests do.
    pub(crate) fn operated() -> &'static Self {
        static OPERATOR: OnceLock<Mutex<Operator>> = OnceLock::new();
        OPERATOR.get_or_init(|| Mutex::new(Self::shared().operator("shared").start()));
        Self::shared()
    }

    /// One for a scenario that others would not survive. It knows of other people's resources only those that the operator asks for: each
    /// takes the API server a tenth of a second.
    pub(crate) fn own() -> Self {
        let all = istio_and_gateways();
        let is_named = |one: &&String, name: &str| one.contains(&format!("\n  name: {name}\n"));
        let asked_for = ASKED_FOR.map(|name| {
            let found = all.iter().find(|one| is_named(one, name));
            found.unwrap_or_else(|| panic!("there is no definition {name}")).as_str()
        });
        Self::new(ApiServer::plan(), asked_for.into_iter())
    }

    fn new<'d>(plan: ApiServerPlan, definitions: impl Iterator<Item = &'d str>) -> Self {
        let server = plan.start().unwrap();
        let file = server.directory().join("definitions.yaml");
        fs::write(&file, definitions.collect::<Vec<_>>().join("\n---\n")).unwrap();
        for file in [file, api_server::crds()] {
            server.apply(&file).unwrap();
        }
        let namespaces = json!({ "metadata": { "name": OPERATOR_NAMESPACE } });
        server.api().create("/api/v1/namespaces", &namespaces).unwrap();
        install(&server, &[]);
        let kubeconfig = server.service_account(OPERATOR_NAMESPACE, "corsward").unwrap();
        Self { server, kubeconfig }
    }

    /// Applies what the chart renders with a further value, as `helm upgrade` does.
    pub(crate) fn upgrade(&self, value: &str) {
        install(&self.server, &["--set", value]);
    }

    pub(crate) fn api(&self) -> &Api {
        self.server.api()
    }

    /// The kubeconfig of the operator: it may do what the chart lets it.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// An operator in a pod of that name, yet to start.
    pub(crate) fn operator(&self, pod: &str) -> super::operator::Plan {
        super::operator::Plan::new(self, pod)
    }

    /// A new namespace.
    pub(crate) fn test_namespace(&self, name: &str) -> TestNamespace<'_> {
        TestNamespace::new(self, name)
    }

    /// A namespace that is there.
    pub(crate) fn at(&self, name: &str) -> TestNamespace<'_> {
        TestNamespace { cluster: self, name: name.into() }
    }

    /// The ends of what the operators logged.
    pub(super) fn logs(&self) -> String {
        const LINES: usize = 40;
        let mut all = String::new();
        for entry in fs::read_dir(self.server.directory()).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("operator-") {
                let text = fs::read_to_string(entry.path()).unwrap();
                let lines: Vec<&str> = text.lines().collect();
                let end = lines[lines.len().saturating_sub(LINES)..].join("\n");
                all += &format!("{name} ends:\n{end}\n");
            }
        }
        all
    }

    /// `kubectl` with `input`.
    pub(crate) fn kubectl(&self, args: &[&str], input: &str) -> Said {
        let mut kubectl = self.server.kubectl();
        kubectl.args(args);
        said(&mut kubectl, input)
    }
}

/// Runs a program to its end.
pub(crate) fn said(command: &mut Command, input: &str) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { out: text(&output.stdout), err: text(&output.stderr), success: output.status.success() }
}

/// The definitions of Istio's and the Gateway API's resources.
fn istio_and_gateways() -> Vec<String> {
    let files = [tools::istio_crds().unwrap(), tools::gateway_crds().unwrap()];
    let texts = files.map(|file| fs::read_to_string(file).unwrap());
    texts.iter().flat_map(|text| text.split("\n---\n")).map(str::to_owned).collect()
}

fn install(server: &ApiServer, values: &[&str]) {
    let file = server.directory().join("chart.yaml");
    fs::write(&file, chart(values)).unwrap();
    server.apply(&file).unwrap();
}

/// The objects that `helm install` would apply with these values, without the definitions.
fn chart(values: &[&str]) -> String {
    let mut template = Command::new(tools::helm().unwrap());
    template.args(["template", "corsward"]).arg(suite::folder().join("../charts/corsward"));
    template.args(["--namespace", OPERATOR_NAMESPACE, "--no-hooks"]);
    template.args(["--set", "crds.install=false"]).args(IMAGE).args(values);
    String::from_utf8(command::read(&mut template).unwrap()).unwrap()
}

/// A folder for files that outlive their owner: shared fixtures are never stopped. It removes those of earlier runs.
fn leftovers() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes");
    for folder in fs::read_dir(&all).into_iter().flatten().flatten() {
        let owner = Path::new("/proc").join(folder.file_name());
        if !owner.exists() {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
    let ours = all.join(std::process::id().to_string());
    fs::create_dir_all(&ours).unwrap();
    ours
}
