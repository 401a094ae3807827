//! What `render` prints: what the operator publishes for the same policies.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const POLICIES: &str = "apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: api}
spec:
  targetRefs: [{group: '', kind: Service, name: api}]
  hostnames: [api.shop.example]
  cors: {allowOrigins: ['https://shop.example'], allowMethods: [PUT], maxAge: 600}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: api}
spec: {selector: {app: api}, ports: [{port: 80}]}
---
apiVersion: corsward.io/v1alpha1
kind: CorsPolicy
metadata: {namespace: shop, name: edge}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]
  cors: {allowOrigins: ['https://*.shop.example'], maxAge: 600}
";

/// The output for those policies, with the exit code and what stands on standard error.
fn printed(args: &[&str], text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
    let command = command.arg("render").args(args).arg("a.yaml").current_dir(folder.path());
    let output = command.output().unwrap();
    let [out, notes] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    format!("{out}{notes}exit {}\n", output.status.code().unwrap())
}

#[test]
fn each_form_holds_the_configuration_of_its_proxies() {
    let image = format!("oci://registry.example/corsward@sha256:{}", "0".repeat(64));
    let istio = ["--as", "istio", "--kind", "WasmPlugin", "--module", &image];
    insta::assert_snapshot!("config", printed(&[], POLICIES));
    insta::assert_snapshot!("ecds", printed(&["--as", "ecds"], POLICIES));
    insta::assert_snapshot!("bootstrap", printed(&["--as", "bootstrap"], POLICIES));
    let watch = ["--as", "bootstrap", "--watch", "/etc/corsward-policies/corsward.yaml"];
    insta::assert_snapshot!("bootstrap-watch", printed(&watch, POLICIES));
    let native = [&watch[..], &["--filter", "native"]].concat();
    insta::assert_snapshot!("bootstrap-native", printed(&native, POLICIES));
    insta::assert_snapshot!("configmap", printed(&["--as", "configmap"], POLICIES));
    insta::assert_snapshot!("istio", printed(&istio, POLICIES));
    let newest = ["--as", "istio", "--module", &image];
    insta::assert_snapshot!("traffic-extension", printed(&newest, POLICIES));
}

#[test]
fn a_refused_policy_is_named_and_nothing_is_rendered() {
    let refused = POLICIES.replace("https://shop.example", "https://shop.example/");
    insta::assert_snapshot!("refused", printed(&[], &refused));
    insta::assert_snapshot!("no-policy", printed(&[], "kind: Other\n"));
    let without = POLICIES.replace("kind: Service\nmetadata", "kind: Other\nmetadata");
    insta::assert_snapshot!("no-service", printed(&[], &without));
    insta::assert_snapshot!("no-digest", printed(&["--as=istio", "--module=oci://a/b"], POLICIES));
}

/// A configuration of one Envoy is that of the operator beside a folder, which knows no targets.
#[test]
fn one_envoy_gets_every_policy() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop.yaml");
    let text = fs::read_to_string(examples).unwrap();
    let ecds = printed(&["--as", "ecds", "--module", "/filter.wasm"], &text);
    assert!(ecds.ends_with("exit 0\n"), "{ecds}");
    assert!(ecds.contains("filename: \"/filter.wasm\""), "{ecds}");
}

/// The operator names its module by the digest in the URL: `spec.wasm.url` and `spec.wasm.sha256`.
#[test]
fn a_served_module_is_named_as_the_operator_names_it() {
    let digest = "9f".repeat(32);
    let served = format!("http://corsward.corsward-system.svc:80/filter-{digest}.wasm");
    let default = printed(&["--as", "istio", "--module", &served], POLICIES);
    let policies: Vec<Value> =
        serde_saphyr::from_multiple(default.split("exit ").next().unwrap()).unwrap();
    assert_eq!(policies.len(), 2, "{default}");
    for object in policies {
        assert_eq!(object["kind"], "TrafficExtension");
        assert_eq!(object["spec"]["wasm"]["url"], served);
        assert_eq!(object["spec"]["wasm"]["sha256"], digest);
        assert_eq!(object["metadata"]["labels"]["corsward.io/module"], "9f".repeat(6));
    }
    let other = ["--as", "istio", "--module", "https://modules.example/c.wasm"];
    let given = [&other[..], &["--sha256", &digest]].concat();
    assert!(printed(&given, POLICIES).contains(&format!("sha256: {digest}")));
    let unknown = printed(&other, POLICIES);
    assert!(unknown.contains("add --sha256") && unknown.ends_with("exit 2\n"), "{unknown}");
    let contradiction = ["--as", "istio", "--module", &served, "--sha256", &"0".repeat(64)];
    assert!(printed(&contradiction, POLICIES).ends_with("exit 2\n"));
}

#[test]
fn an_origin_set_that_no_file_shows_is_named() {
    let text = POLICIES
        .replace("allowMethods: [PUT]", "allowOriginsFrom: [{kind: OriginSet, name: front}]");
    let output = printed(&["--as", "ecds"], &text);
    let note = "note: OriginSet shop/front, which shop/api names in spec.cors.allowOriginsFrom[0], is in no file";
    assert!(output.contains(note) && output.ends_with("exit 0\n"), "{output}");
    assert!(!output.contains("Written by corsward-operator"), "{output}");
}

#[test]
fn the_page_shows_what_the_command_prints() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/render.md");
    let page = fs::read_to_string(page).unwrap();
    let block = |start: &str| {
        let (_, rest) = page.split_once(start).unwrap();
        rest.split("```").next().unwrap().to_owned()
    };
    let text = block("```yaml\n# shop.yaml\n");
    let printed = printed(&[], &text);
    assert_eq!(printed, format!("{}exit 0\n", block("$ corsward render shop.yaml\n")));
}

#[test]
fn istios_proxies_run_no_native_filter() {
    let image = format!("--module=oci://registry.example/corsward@sha256:{}", "0".repeat(64));
    let printed = printed(&["--as=istio", "--filter=native", &image], POLICIES);
    assert!(
        printed.contains("--filter native: Istio brings its proxies a Wasm filter alone"),
        "{printed}"
    );
    assert!(printed.ends_with("exit 2\n"), "{printed}");
}

/// What no proxy takes is not printed, and neither is a part of it.
#[test]
fn policies_that_are_too_much_for_one_proxy_are_not_rendered() {
    let list = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>().join("', '");
    let label = "a".repeat(63);
    let long = [label.as_str(), &label, &label].join(".");
    let regexes = list(&mut (0..16).map(|at| format!(r"https://r{at}\.example")));
    let origins = list(&mut (0..1_800).map(|at| format!("https://t{at:06}.{long}.example")));
    let image = format!("--module=oci://registry.example/corsward@sha256:{}", "0".repeat(64));
    let in_cluster = [&[][..], &["--as=configmap"], &["--as=istio", &image]];
    for (why, field, items, count) in [
        ("more regexes than one proxy may have", "allowOriginRegexes", &regexes, 66),
        (" bytes, and 1048576 can be published: ", "allowOrigins", &origins, 4),
    ] {
        let policies = |namespaces: usize| {
            let policy = |at: usize| {
                format!(
                    "apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: n{}, name: p{at}}}\n\
                     spec: {{hostnames: [p{at}.example], cors: {{{field}: ['{items}'], maxAge: 600}}}}\n---\n",
                    at % namespaces
                )
            };
            (0..count).map(policy).collect::<String>()
        };
        let ecds = ["--as=ecds"];
        for (args, namespaces, is_rendered) in in_cluster
            .iter()
            .flat_map(|args| [(*args, 1, false), (*args, 2, true)])
            .chain([(&ecds[..], 1, false), (&ecds, 2, false)])
        {
            let printed = printed(args, &policies(namespaces));
            let place = format!("{args:?} of {namespaces}: {printed:.3000}");
            assert_eq!(printed.ends_with("exit 0\n"), is_rendered, "{place}");
            assert_eq!(printed.ends_with("exit 1\n"), !is_rendered, "{place}");
            assert_eq!(printed.contains(why), !is_rendered, "{place}");
            // The output and the notes are short without a configuration.
            assert_eq!(printed.len() > 5_000, is_rendered, "{place}");
        }
    }
}

#[test]
fn an_envoy_loads_its_module_from_a_file() {
    let image = format!("oci://registry.example/corsward@sha256:{}", "0".repeat(64));
    let error = "error: --module: Envoy loads the module from a file: write the path of the file as Envoy sees it, and no URL or image\nexit 2\n";
    for form in ["ecds", "bootstrap", "configmap"] {
        for filter in ["wasm", "native"] {
            for module in [&image, "http://modules.example/filter.wasm"] {
                let args = ["--as", form, "--filter", filter, "--module", module];
                assert_eq!(printed(&args, POLICIES), error, "{args:?}");
            }
        }
    }
}
