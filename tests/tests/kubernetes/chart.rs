//! The chart: what it renders, what it refuses, and what comes and goes with it.

mod alerts;
mod enforcement;
mod install;
mod values;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser as _;
use corsward_operator::args::{Args, Command as Verb};
use corsward_test_harness::cluster::OPERATOR_NAMESPACE;
use corsward_test_harness::command::{CommandOutput, run};
use corsward_tests::suite;
use serde_json::{Value, json};
use xtask::kubernetes::ApiServer;
use xtask::tools;

/// Values that matter, by what they are for.
const COMBINATIONS: [(&str, &[&str]); 14] = [
    ("nothing said", &[]),
    ("the fleet stopped", &["enforcement=Off"]),
    ("no webhook", &["webhook.enabled=false"]),
    (
        "a certificate of the user's own, for some namespaces",
        &[
            "webhook.certificate.existingSecret=my-cert",
            "webhook.namespaceSelector.matchLabels.team=shop",
            "webhook.timeoutSeconds=2",
        ],
    ),
    (
        "the module from a registry",
        &[
            "module.from=oci",
            "module.oci.url=oci://registry.example:5000/team/corsward-filter@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
    ),
    ("TrafficExtensions", &["publish.istio.kind=TrafficExtension"]),
    ("WasmPlugins", &["publish.istio.kind=WasmPlugin"]),
    ("EnvoyFilters", &["publish.istio.kind=EnvoyFilter", "publish.graceSeconds=30"]),
    ("plain Envoys", &["publish.to=configmap", "module.path=/etc/envoy/filter.wasm"]),
    ("plain Envoys with the native filter", &["publish.to=configmap", "publish.filter=native"]),
    (
        "monitoring",
        &[
            "metrics.serviceMonitor.enabled=true",
            "metrics.serviceMonitor.labels.release=prometheus",
            "metrics.prometheusRule.enabled=true",
            "metrics.prometheusRule.labels.release=prometheus",
            "metrics.podMonitor.enabled=true",
            "metrics.podMonitor.labels.release=prometheus",
        ],
    ),
    (
        "everything closed",
        &[
            "networkPolicy.egress.enabled=true",
            "networkPolicy.egress.apiServerCidrs[0]=10.0.0.1/32",
            "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring",
            "rbac.aggregate=false",
        ],
    ),
    (
        "little made, much given",
        &[
            "crds.install=false",
            "cleanup.enabled=false",
            "gatewayApi.enabled=false",
            "networkPolicy.enabled=false",
            "rbac.create=false",
            "replicas=1",
            "serviceAccount.create=false",
            "serviceAccount.name=given",
        ],
    ),
    (
        "a place of its own",
        &[
            "fullnameOverride=cors",
            "image.repository=registry.example/corsward/operator",
            "image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "imagePullSecrets[0].name=registry",
            "runAsUser=null",
            "listen=[::]",
            "logs.format=text",
            "logs.filter=warn\\,corsward_operator=debug",
            "priorityClassName=system-cluster-critical",
            "nodeSelector.disk=fast",
            "tolerations[0].operator=Exists",
            "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=kubernetes.io/hostname",
            "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels.a=b",
            "podLabels.team=platform",
            "podAnnotations.note=of the team",
            "commonLabels.team=shop",
            "commonLabels.cost-centre=c42",
            "commonAnnotations.example\\.org/contact=platform@example.org",
            "serviceAccount.annotations.example\\.org/role=reader",
            "extraEnv[0].name=RUST_BACKTRACE",
            "extraEnv[0].value=full",
        ],
    ),
];

#[test]
fn helm_finds_nothing_to_say_against_the_chart() {
    for (why, values) in COMBINATIONS {
        let linted = helm(&["lint", "--strict"], values);
        assert!(linted.success, "{why}: {linted:?}");
        assert!(!linted.out.contains("[WARNING]"), "{why}: {linted:?}");
    }
}

#[test]
fn an_api_server_takes_everything_that_is_rendered_without_a_warning() {
    let server = server();
    for (why, values) in COMBINATIONS {
        let manifest = template(values);
        let mut apply = server.kubectl();
        apply.args(["apply", "--server-side", "--dry-run=server", "--validate=strict"]);
        let applied = run(apply.args(["-n", OPERATOR_NAMESPACE, "-f", "-"]), &manifest).unwrap();
        // PodSecurity warns of what it would refuse, and the API server of what it drops or deprecates.
        assert_eq!(applied.err, "", "{why}");
        assert!(applied.success, "{why}: {applied:?}");
        let (taken, rendered) = (applied.out.lines().count(), objects(&manifest).len());
        assert_eq!(taken, rendered, "{why}: {}", applied.out);
    }
}

#[test]
fn the_operator_understands_every_argument_that_it_is_given() {
    for (why, values) in COMBINATIONS {
        let objects = objects(&template(values));
        let container = &find(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
        let (Verb::Run(_), given) = understood(container) else { panic!("{why}: no `run`") };
        let switch = find(&objects, "ConfigMap")["metadata"]["name"].as_str().unwrap();
        assert!(given.contains(&format!("--enforcement={switch}")), "{why}: {given:?}");
        for object in &objects {
            let verb = object["metadata"]["annotations"]["helm.sh/hook"].as_str();
            let containers = match verb {
                Some("test") => &object["spec"]["containers"],
                Some("pre-delete") if object["kind"] == "Job" => {
                    &object["spec"]["template"]["spec"]["containers"]
                }
                _ => continue,
            };
            let (understood, given) = understood(&containers[0]);
            let right = matches!(
                (verb, understood),
                (Some("test"), Verb::Probe(_)) | (_, Verb::Cleanup(_))
            );
            assert!(right, "{why}: {given:?}");
        }
    }
}

#[test]
fn roles_follow_what_is_enabled() {
    let may = |values: &[&str]| -> BTreeSet<String> {
        let objects = objects(&template(values));
        let roles = objects.iter().filter(|object| {
            let of_operator = object["metadata"]["name"] == "corsward";
            of_operator && matches!(object["kind"].as_str(), Some("Role" | "ClusterRole"))
        });
        let rules = roles.flat_map(|role| role["rules"].as_array().unwrap());
        // What is left of another kind is counted, or retired, whatever is published.
        let left = [json!(["list"]), json!(["list", "delete"])];
        let rules = rules.filter(|rule| !left.contains(&rule["verbs"]));
        rules.flat_map(words("resources")).collect()
    };
    let all = may(&[]);
    for (why, values, gone, come) in [
        (
            "no webhook",
            "webhook.enabled=false",
            &["secrets", "validatingwebhookconfigurations"][..],
            &[][..],
        ),
        (
            "no Gateways",
            "gatewayApi.enabled=false",
            &["gatewayclasses", "gateways", "httproutes"],
            &[],
        ),
        (
            "an image",
            "module.from=oci,module.oci.url=oci://a.example/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            &["endpointslices"],
            &[],
        ),
        (
            "EnvoyFilters",
            "publish.istio.kind=EnvoyFilter",
            &["trafficextensions", "wasmplugins"],
            &["envoyfilters"],
        ),
        ("TrafficExtensions alone", "publish.istio.kind=TrafficExtension", &["wasmplugins"], &[]),
        ("WasmPlugins alone", "publish.istio.kind=WasmPlugin", &["trafficextensions"], &[]),
        (
            "plain Envoys",
            "publish.to=configmap",
            &[
                "endpointslices",
                "gatewayclasses",
                "trafficextensions",
                "virtualservices",
                "wasmplugins",
            ],
            &[],
        ),
    ] {
        let some = may(&[values]);
        let difference = |of: &BTreeSet<String>, and: &BTreeSet<String>| -> Vec<String> {
            of.difference(and).cloned().collect()
        };
        let (mut lost, mut won) = (difference(&all, &some), difference(&some, &all));
        lost.sort();
        won.sort();
        let sorted = |words: &[&str]| {
            let mut words: Vec<_> = words.iter().map(ToString::to_string).collect();
            words.sort();
            words
        };
        assert_eq!((lost, won), (sorted(gone), sorted(come)), "{why}");
    }
    // Nothing is ever `*`, and Secrets are read by name alone.
    for object in objects(&template(&[])) {
        for rule in object["rules"].as_array().into_iter().flatten() {
            let text = rule.to_string();
            assert!(
                !text.contains("\"*\"") || object["kind"] == "ValidatingWebhookConfiguration",
                "{text}"
            );
            let reads = text.contains("secrets")
                && ["\"get\"", "\"list\"", "\"watch\""].iter().any(|verb| text.contains(verb));
            assert!(
                !reads || rule["resourceNames"] == json!(["corsward-webhook-certificate"]),
                "{text}"
            );
        }
    }
}

#[test]
fn alerts_ask_for_metrics_that_the_operator_has() {
    let operator = suite::folder().join("../operator/controller/src");
    let mut source = fs::read_to_string(operator.join("metrics.rs")).unwrap();
    for file in fs::read_dir(operator.join("metrics")).unwrap() {
        source += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let objects = objects(&template(&["metrics.prometheusRule.enabled=true"]));
    let rules = find(&objects, "PrometheusRule")["spec"]["groups"][0]["rules"].as_array().unwrap();
    let mut metrics = 0;
    for rule in rules {
        let expression = rule["expr"].as_str().unwrap();
        for named in expression.split("corsward_").skip(1) {
            let name = named.split(['{', ' ', '[']).next().unwrap();
            let name = name.trim_end_matches("_total").trim_end_matches("_seconds");
            let registered = source.contains(&format!("\"{name}\""));
            assert!(registered, "{}: no metric {name}", rule["alert"]);
            metrics += 1;
        }
    }
    assert!(metrics >= 7 && rules.len() > metrics, "{metrics} in {}", rules.len());
}

#[test]
fn common_labels_and_annotations_are_on_every_object_and_in_no_selector() {
    let objects = objects(&template(&[
        "commonLabels.team=shop",
        "commonAnnotations.note=ours",
        "podLabels.team=platform",
        "metrics.serviceMonitor.enabled=true",
        "metrics.podMonitor.enabled=true",
        "metrics.prometheusRule.enabled=true",
        "networkPolicy.egress.enabled=true",
    ]));
    assert!(objects.len() > 25, "{}", objects.len());
    for object in &objects {
        let (kind, metadata) = (&object["kind"], &object["metadata"]);
        let said = (&metadata["labels"]["team"], &metadata["annotations"]["note"]);
        assert_eq!(said, (&json!("shop"), &json!("ours")), "{kind} {}", metadata["name"]);
        // What names a label anywhere else selects by it.
        let spec = object["spec"].to_string();
        let pod = &object["spec"]["template"]["metadata"]["labels"]["team"];
        let (named, of_pods) = (spec.matches("\"team\"").count(), usize::from(!pod.is_null()));
        assert_eq!(named, of_pods, "{kind}: {spec}");
        let want = if kind == "Deployment" { "platform" } else { "shop" };
        assert!(pod.is_null() || pod == want, "{kind}: {pod}");
    }
}

#[test]
fn every_pod_is_restricted_and_out_of_the_mesh() {
    for (why, values) in COMBINATIONS {
        for object in objects(&template(values)) {
            let pod = match object["kind"].as_str() {
                Some("Pod") => &object,
                Some("Deployment" | "Job") => &object["spec"]["template"],
                _ => continue,
            };
            let labels = &pod["metadata"]["labels"];
            assert_eq!(labels["sidecar.istio.io/inject"], "false", "{why}: {labels}");
            assert_eq!(labels["istio.io/dataplane-mode"], "none", "{why}: {labels}");
            let security = &pod["spec"]["securityContext"];
            let user = (!values.contains(&"runAsUser=null")).then_some(65532);
            assert_eq!(security["runAsUser"], json!(user), "{why}");
            assert_eq!(security["runAsNonRoot"], true, "{why}");
            let container = &pod["spec"]["containers"][0]["securityContext"];
            assert_eq!(container["readOnlyRootFilesystem"], true, "{why}");
        }
    }
}

/// An API server with a namespace that takes restricted pods alone, and the kinds that monitoring needs.
fn server() -> ApiServer {
    let server = ApiServer::start().unwrap();
    server.apply(&tools::prometheus_crds().unwrap()).unwrap();
    let labels = ["enforce", "warn"].map(|what| format!("pod-security.kubernetes.io/{what}"));
    let namespace = json!({ "metadata": {
        "name": OPERATOR_NAMESPACE,
        "labels": { &labels[0]: "restricted", &labels[1]: "restricted" },
    } });
    server.api().create("/api/v1/namespaces", &namespace).unwrap();
    let accounts = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts");
    let default = json!({ "metadata": { "name": "default" } });
    server.api().create(&accounts, &default).unwrap();
    // Critical pods are for namespaces that have a quota for them; here no pod runs.
    server
}

fn chart() -> PathBuf {
    suite::folder().join("../charts/corsward")
}

/// Helm on the chart, with values.
fn helm(args: &[&str], values: &[&str]) -> CommandOutput {
    let mut helm = Command::new(tools::helm().unwrap());
    helm.args(args).arg(chart()).args(["--namespace", OPERATOR_NAMESPACE]);
    for value in values {
        helm.args(["--set", value]);
    }
    run(&mut helm, "").unwrap()
}

/// The chart's output, hooks included.
#[track_caller]
fn template(values: &[&str]) -> String {
    let rendered = helm(&["template", "corsward"], values);
    assert!(rendered.success, "{values:?}: {rendered:?}");
    rendered.out
}

/// The objects of a manifest.
fn objects(manifest: &str) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

#[track_caller]
fn find<'o>(objects: &'o [Value], kind: &str) -> &'o Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap()
}

/// The subcommand of a container by the binary's own parser, and the arguments.
#[track_caller]
fn understood(container: &Value) -> (Verb, Vec<String>) {
    let args = container["args"].as_array().unwrap().iter();
    let mut given: Vec<String> = args.map(|arg| arg.as_str().unwrap().to_owned()).collect();
    if given[0] == "cleanup" {
        // From the environment of the pod.
        given.push("--namespace=corsward-system".into());
    }
    let args = Args::try_parse_from(["corsward-operator".to_owned()].iter().chain(&given));
    (args.unwrap_or_else(|error| panic!("{given:?}: {error}")).command, given)
}

/// The words of a list of a rule.
fn words(list: &'static str) -> impl Fn(&Value) -> Vec<String> {
    move |rule| {
        let words = rule[list].as_array().unwrap().iter();
        words.map(|word| word.as_str().unwrap().to_owned()).collect()
    }
}
