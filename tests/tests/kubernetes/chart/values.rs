//! The chart's values: what is refused, and that each is described.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{chart, helm};

#[test]
fn a_wrong_value_is_refused_by_the_name_of_its_field() {
    for (why, value, field) in [
        ("a value that is none", "replica=2", "replica"),
        ("one level down", "publish.istio.kinds=WasmPlugin", "kinds"),
        ("two words for one thing", "enforcement=off", "/enforcement"),
        ("a boolean that should be a word", "enforcement=false", "/enforcement"),
        ("a publisher of a folder", "publish.to=file", "/publish/to"),
        ("a kind that Istio has not", "publish.istio.kind=EnvoyPlugin", "/publish/istio/kind"),
        ("no time at all", "publish.graceSeconds=0", "/publish/graceSeconds"),
        ("an image without its address", "module.from=oci", "/module/oci/url"),
        ("an address that is no image's", "module.oci.url=https://example/x", "/module/oci/url"),
        (
            "an image that nobody would use",
            "module.oci.url=oci://a.example/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "module.oci.url: it is used with `module.from: oci` alone",
        ),
        (
            "proxies that are not Istio's",
            "publish.to=configmap,metrics.podMonitor.enabled=true",
            "metrics.podMonitor: it reads Istio's proxies",
        ),
        (
            "a label that is the chart's",
            "commonLabels.corsward\\.io/endpoint=x",
            "corsward.io/endpoint",
        ),
        ("an annotation that is Helm's", "commonAnnotations.helm\\.sh/hook=test", "helm.sh/hook"),
        ("an image without its digest", "module.oci.url=oci://a.example/b:c", "/module/oci/url"),
        (
            "a filter that Istio does not bring",
            "publish.filter=native",
            "publish.filter: Istio brings its proxies a Wasm filter alone",
        ),
        ("a path that is not whole", "module.path=filter.wasm", "/module/path"),
        ("nobody at all", "replicas=0", "/replicas"),
        ("a text for a number", "replicas=two", "/replicas"),
        ("a digest cut short", "image.digest=sha256:0123", "/image/digest"),
        ("a tag in the name", "image.repository=corsward-operator:0.1", "/image/repository"),
        ("a policy of pulling", "image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("root", "runAsUser=0", "/runAsUser"),
        ("a port in the address", "listen=0.0.0.0:80", "/listen"),
        ("a name that no object may have", "fullnameOverride=Cors_Ward", "/fullnameOverride"),
        (
            "a name too long",
            "nameOverride=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "/nameOverride",
        ),
        ("a webhook that waits for ever", "webhook.timeoutSeconds=31", "/webhook/timeoutSeconds"),
        ("an account nobody makes", "serviceAccount.create=false", "/serviceAccount/name"),
        ("a quantity", "resources.limits.memory=much", "/resources/limits/memory"),
        ("a toleration that is none", "tolerations[0].operators=Exists", "/tolerations/0"),
        (
            "a port that is none",
            "networkPolicy.egress.apiServerPorts[0]=70000",
            "/networkPolicy/egress/apiServerPorts/0",
        ),
        ("a label that is none", "podLabels.team=of the shop", "/podLabels/team"),
        (
            "an interval",
            "metrics.serviceMonitor.interval=often",
            "/metrics/serviceMonitor/interval",
        ),
    ] {
        let refused = helm(&["template", "corsward"], &[value]);
        assert!(!refused.success, "{why}: {value} was taken");
        // Helm 4 writes `at '/publish/to'`, Helm 3 before 3.18 `publish.to`.
        let names =
            refused.err.contains(field) || refused.err.contains(&field.replace('/', ".")[1..]);
        assert!(names, "{why}: {} does not name {field}", refused.err);
    }
}

#[test]
fn every_value_is_in_the_schema_the_defaults_and_the_manual() {
    let read = |file: &str| fs::read_to_string(chart().join(file)).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let manual = read("README.md");
    let (mut described, mut defaults) = (BTreeSet::new(), BTreeSet::new());
    names(&schema, "properties", &values, "", &mut described);
    names(&values, "", &values, "", &mut defaults);
    assert_eq!(described, defaults);
    assert!(described.len() > 50, "{described:?}");
    for name in described {
        assert!(manual.contains(&format!("\n| `{name}` |")), "the README does not list {name}");
    }
    // Whatever is not listed is refused, all the way down.
    let text = schema.to_string();
    let objects = text.matches("\"properties\":{").count();
    let closed = text.matches("\"additionalProperties\":false").count();
    assert!(closed >= 20 && objects >= closed, "{closed} of {objects}");
}

#[test]
fn the_chart_has_the_version_of_what_it_installs() {
    let about: Value =
        serde_saphyr::from_str(&fs::read_to_string(chart().join("Chart.yaml")).unwrap()).unwrap();
    for field in ["version", "appVersion"] {
        assert_eq!(about[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
}

/// The values below `at` by their path, where `values` has anything below them.
fn names(at: &Value, through: &str, values: &Value, path: &str, into: &mut BTreeSet<String>) {
    let below = if through.is_empty() { at } else { &at[through] };
    let has_values = values.as_object().is_some_and(|map| !map.is_empty());
    let Some(below) = below.as_object().filter(|_| has_values) else {
        into.insert(path.to_owned());
        return;
    };
    for (name, at) in below {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        // What a map of quantities holds are defaults, not values with a name of their own.
        if path == "resources.limits" || path == "resources.requests" {
            into.insert(path);
        } else {
            names(at, through, &values[name], &path, into);
        }
    }
}
