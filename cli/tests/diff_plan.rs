//! A law of `diff`: each answer that the bundles of the operator's plans give otherwise is one of its differences.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a helper of tests stops the test where it cannot go on"
)]

use std::fs;
use std::process::Command;

use corsward_cli::policies::Policies;
use corsward_diff::{Observed, Probe};
use corsward_operator_core::bundle::BundleKey;
use corsward_operator_core::targets::TargetProxies;
use corsward_policy::survey::Selected;
use corsward_policy::{Compiled, wire};
use serde_json::{Value, json};

const TARGETS: [&str; 7] = [
    "",
    "selector: {matchLabels: {app: a}}, ",
    "selector: {matchLabels: {app: b}}, ",
    "selector: {matchLabels: {tier: x}}, ",
    "targetRefs: [{group: '', kind: Service, name: shown}], ",
    "targetRefs: [{group: '', kind: Service, name: unseen}, {group: '', kind: Service, name: shown}], ",
    "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}], ",
];
const HOSTS: [&str; 4] =
    ["", "hostnames: [api.example], ", "hostnames: ['*.example'], ", "hostnames: [www.example], "];
const MODES: [&str; 4] = ["", "", "mode: DryRun, ", "mode: 'Off', "];
const ORIGINS: [&str; 4] = ["https://a.example", "https://*.example", "*", "https://b.example"];
const SERVICE: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: shown}\nspec: {selector: {app: a}, ports: [{port: 80}]}\n";

/// Proxies by their labels, and a Gateway.
const PROXIES: [&[(&str, &str)]; 8] = [
    &[],
    &[("app", "a")],
    &[("app", "b")],
    &[("tier", "x")],
    &[("app", "a"), ("tier", "x")],
    &[("app", "b"), ("tier", "x")],
    &[("corsward.io/service", "unseen")],
    &[("corsward.io/service", "unseen"), ("app", "a"), ("tier", "x")],
];

/// A sequence of numbers that look random, the same in each run.
struct Numbers(u64);

// === impl Numbers ===

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }
}

fn policies(numbers: &mut Numbers) -> Vec<String> {
    let count = 1 + numbers.below(4);
    let policy = |numbers: &mut Numbers, at| {
        let (target, hosts) = (numbers.one(&TARGETS), numbers.one(&HOSTS));
        let (mode, origin) = (numbers.one(&MODES), numbers.one(&ORIGINS));
        format!(
            "---\napiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata: {{namespace: shop, name: p{at}}}\nspec: {{{target}{hosts}{mode}cors: {{allowOrigins: ['{origin}'], maxAge: 600}}}}\n"
        )
    };
    (0..count).map(|at| policy(numbers, at)).collect()
}

/// The configuration of a proxy in the bundles of a plan; `None`: a Gateway.
fn configuration(set: &Policies, labels: Option<&[(&str, &str)]>) -> Compiled {
    let has = |name: &str, value: &str| labels.is_some_and(|all| all.contains(&(name, value)));
    let is_meant = |key: &BundleKey| match key {
        BundleKey::All => false,
        BundleKey::Of { proxies: TargetProxies::Workloads(own), .. } => {
            labels.is_some() && own.iter().all(|(name, value)| has(name, value))
        }
        BundleKey::Of { proxies: TargetProxies::Gateway(name), .. } => {
            labels.is_none() && name == "edge"
        }
    };
    let mut meant = set.bundles().filter(|bundle| is_meant(&bundle.key));
    let compiled = meant.next().map_or_else(Compiled::default, |bundle| {
        wire::decode(&bundle.compiled).unwrap().for_proxy(&mut |name, value| has(name, value))
    });
    assert_eq!(meant.count(), 0, "a proxy has one bundle");
    compiled
}

fn probes() -> Vec<Probe> {
    let mut probes = Vec::new();
    for host in ["api.example", "www.example", "other.test"] {
        for origin in
            [None, Some("https://a.example"), Some("https://b.example"), Some("https://c.test")]
        {
            for method in [None, Some("PUT")] {
                probes.push(Probe {
                    method: if method.is_some() { "OPTIONS" } else { "GET" }.to_owned(),
                    host: host.to_owned(),
                    path: "/".to_owned(),
                    origin: origin.map(str::to_owned),
                    requested_method: method.map(str::to_owned),
                    ..Probe::default()
                });
            }
        }
    }
    probes
}

#[test]
fn an_answer_that_the_plans_give_otherwise_is_a_difference() {
    let mut numbers = Numbers(1);
    let (mut differing, mut equal) = (0, 0);
    for _ in 0..60 {
        let mut sets = [policies(&mut numbers), policies(&mut numbers)];
        // Sets that have most in common.
        if numbers.below(3) > 0 {
            let last = sets[1].pop().unwrap();
            sets[1] = sets[0].clone();
            let at = numbers.below(sets[1].len() + 1);
            sets[1].truncate(at.max(1));
            sets[1].push(last.replace("name: p", "name: q"));
        }
        let folder = tempfile::tempdir().unwrap();
        let files = ["old", "new"].map(|name| folder.path().join(name).with_extension("yaml"));
        for (file, set) in files.iter().zip(&sets) {
            fs::write(file, set.concat() + SERVICE).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_corsward"));
        let output = command.arg("diff").args(&files).args(["-o", "json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{sets:?} {}", String::from_utf8_lossy(&output.stderr)));
        let [old, new] = files.map(|file| Policies::read(&[file]));
        let mut is_equal = true;
        for labels in PROXIES.into_iter().map(Some).chain([None]) {
            let [of_old, of_new] = [&old, &new].map(|set| configuration(set, labels));
            for probe in probes() {
                let [one, other] = [&of_old, &of_new].map(|it| Observed::of(it, &probe));
                if one.verdict == other.verdict && one.values == other.values {
                    continue;
                }
                is_equal = false;
                let decides = |set| Selected::of(set, &probe).map(|it| it.policy().to_string());
                let want = [(decides(&of_old), one.verdict), (decides(&of_new), other.verdict)]
                    .map(|(policy, verdict)| (json!(policy), json!(verdict)));
                let is_it = |difference: &Value| {
                    let side = |name: &str| {
                        (difference[name]["policy"].clone(), difference[name]["verdict"].clone())
                    };
                    [side("old"), side("new")] == want
                        || (one.verdict == other.verdict
                            && [side("old").0, side("new").0]
                                == [want[0].0.clone(), want[1].0.clone()])
                };
                let is_known = report["differences"].as_array().unwrap().iter().any(is_it);
                assert!(is_known, "{probe} {labels:?}\n{want:?}\n{sets:#?}\n{report:#}");
            }
        }
        assert!(is_equal || report["equal"] == false, "{report:#}");
        if is_equal { equal += 1 } else { differing += 1 }
    }
    assert!(differing > 20 && equal > 0, "{differing} {equal}");
}
