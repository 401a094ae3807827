//! The invariants of `ARCHITECTURE.md`, and rules that reviews need not check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use corsward_tests::import_graph::ImportGraph;
use corsward_tests::prose::Measure;
use corsward_tests::suite;

#[test]
fn policy_depends_on_nothing_that_does_io() {
    assert_eq!(dependencies("policy"), ["regex-lite", "serde", "serde_json"]);
    for (file, text) in sources("policy/src") {
        for word in
            ["std::fs", "std::net::Tcp", "std::env", "std::time", "std::process", "println!"]
        {
            assert!(!code(&text).contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn only_the_wire_names_serde() {
    for (file, text) in sources("policy/src") {
        let is_wire = file.to_string_lossy().starts_with("policy/src/wire");
        assert!(is_wire || !code(&text).contains("serde"), "{} names serde", file.display());
    }
}

/// The modules of the core that a decision is made of.
const DECISION: [&str; 7] = [
    "decide",
    "decision",
    "request_view",
    "response_headers",
    "response_plan",
    "shadow",
    "verdict",
];

#[test]
fn the_decision_imports_nothing_of_how_policies_come_to_be() {
    // Plain enums, which a decision matches on.
    let words =
        ["OnFailure", "DisallowedRequests", "UpstreamCorsHeaders", "Diagnostics", "PolicyId"];
    for (file, text) in sources("policy/src") {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        if !DECISION.contains(&&*name) {
            continue;
        }
        for module in ["policy", "validate", "compile", "wire", "finding"] {
            let path = format!("crate::{module}::");
            assert!(!code(&text).contains(&path), "{} imports {path}", file.display());
        }
        for import in code(&text).split("use crate::draft::").skip(1) {
            let names = import.split(';').next().unwrap_or_default();
            for name in names.split([',', '{', '}', ' ', '\n']).filter(|name| !name.is_empty()) {
                assert!(words.contains(&name), "{} imports draft::{name}", file.display());
            }
        }
    }
}

#[test]
fn only_the_shells_host_names_host_calls() {
    for (file, text) in sources("filter") {
        let words = ["hostcalls", "proxy_get_", "_module_callback_"];
        let names = words.iter().any(|word| code(&text).contains(word));
        let allowed = ["wasm/src/abi.rs", "native/src/abi.rs"].iter().any(|h| file.ends_with(h));
        assert!(!names || allowed, "{} names a host call", file.display());
    }
}

#[test]
fn the_engine_knows_no_kind_of_proxy_and_keeps_nothing_for_one_thread() {
    assert_eq!(dependencies("filter/engine"), ["corsward-policy"]);
    for (file, text) in sources("filter/engine/src") {
        let words = ["proxy_wasm", "std::rc", "thread_local!", "\nstatic "];
        assert!(!words.iter().any(|word| code(&text).contains(word)), "{}", file.display());
    }
}

#[test]
fn the_filter_writes_what_a_decision_holds_and_nothing_else() {
    for (file, text) in sources("filter") {
        let allowed = ["host.rs", "fake.rs"].iter().any(|name| file.ends_with(name));
        let calls = [
            ".remove_request_header(",
            ".set_response_header(",
            ".remove_response_header(",
            ".local_reply(",
        ];
        for call in calls {
            assert!(allowed || !code(&text).contains(call), "{} calls {call}", file.display());
        }
    }
    for (file, text) in sources("policy/src") {
        let makes = code(&text).contains(" Decision { ") && !code(&text).contains("let Decision {");
        assert!(!makes || is_decide(&file), "{} makes a decision", file.display());
    }
}

#[test]
fn the_resources_depend_on_no_client_and_no_runtime() {
    let allowed = ["corsward-policy", "k8s-openapi", "kube", "schemars", "serde", "serde_json"];
    assert_eq!(dependencies("operator/api"), allowed);
    // The client is a feature of `kube`, and so is its runtime.
    let [workspace, api] = [manifest("."), manifest("operator/api")];
    let kube = &workspace["workspace"]["dependencies"]["kube"];
    assert_eq!((kube["default-features"].as_bool(), kube.get("features")), (Some(false), None));
    let features = &api["dependencies"]["kube"]["features"];
    assert_eq!(features.as_array().unwrap(), &["derive".into()]);
    for (file, text) in sources("operator/api/src") {
        for word in ["kube::Client", "kube::client", "kube::runtime", "std::fs", "async fn"] {
            assert!(!code(&text).contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn manifests_and_comparisons_know_nothing_of_the_operator() {
    let allowed = "corsward-api corsward-policy granit-parser idna k8s-openapi psl regex-automata regex-syntax serde serde-saphyr serde_json";
    assert_eq!(dependencies("policy/manifest").join(" "), allowed);
    assert_pure("policy/manifest/src");
    assert_pure("policy/diff/src");
}

#[test]
fn the_core_of_the_operator_is_pure() {
    let allowed = "corsward-api corsward-manifest corsward-policy k8s-openapi kube serde serde-saphyr serde_json sha2 strum thiserror";
    assert_eq!(dependencies("operator/core").join(" "), allowed);
    // The client is a feature of `kube`: the workspace has none, and the core adds none.
    let core = manifest("operator/core");
    assert_eq!(core["dependencies"]["kube"].as_table().map(toml::Table::len), Some(1));
    assert_pure("operator/core/src");
}

/// Asserts that the sources name no client, no runtime, no file, no socket and no clock.
fn assert_pure(folder: &str) {
    for (file, text) in sources(folder) {
        for word in [
            "async fn",
            "kube::client",
            "kube::Client",
            "kube::runtime",
            "std::env",
            "std::fs",
            "std::net::Tcp",
            "std::process",
            "::now()",
        ] {
            assert!(!code(&text).contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn the_top_modules_of_a_crate_import_no_cycle() {
    for crate_sources in [
        "cli/browser/src",
        "cli/import/src",
        "cli/src",
        "filter/engine/src",
        "filter/native/src",
        "filter/wasm/src",
        "operator/api/src",
        "operator/controller/src",
        "operator/core/src",
        "policy/diff/src",
        "policy/manifest/src",
        "policy/src",
        "tests/e2e/src",
        "tests/harness/src",
        "tests/src",
        "xtask/offline/src",
        "xtask/src",
    ] {
        let mut graph = ImportGraph::default();
        for (file, text) in sources(crate_sources) {
            graph.add(file.strip_prefix(crate_sources).unwrap(), &text);
        }
        assert_eq!(graph.cycle(), None, "{crate_sources}");
    }
}

#[test]
fn filter_and_operator_never_import_each_other() {
    for one in ["filter/engine", "filter/native", "filter/wasm"] {
        let of_filter = dependencies(one);
        let is_operators =
            |name: &String| name.starts_with("corsward-operator") || *name == "corsward-api";
        assert!(!of_filter.iter().any(is_operators), "{one}: {of_filter:?}");
    }
    for one in ["operator/api", "operator/controller", "operator/core", "policy/manifest"] {
        let of_operator = dependencies(one);
        let is_filters = |name: &String| name.starts_with("corsward-filter");
        assert!(!of_operator.iter().any(is_filters), "{one}: {of_operator:?}");
    }
}

#[test]
fn nobody_uses_a_banned_word() {
    // In two halves, so that this list is not found by itself.
    let banned =
        [["white", "list"], ["black", "list"], ["simple", " request"], ["simple", "_request"]];
    for (file, text) in texts() {
        let lower = text.to_lowercase();
        for [first, second] in banned {
            let word = format!("{first}{second}");
            // The contributors' rules name what must not be said.
            let allowed = file.ends_with("CONTRIBUTING.md");
            assert!(allowed || !lower.contains(&word), "{} says `{word}`", file.display());
        }
    }
}

/// Names that a standard word has replaced; `docs/glossary.md` defines the new ones. A rename adds its pair.
const RENAMED: [(&str, &str); 19] = [
    ("Agreement", "ShadowComparison"),
    ("Closeness", "Specificity"),
    ("Contender", "LeaderElector"),
    ("CorswardCertificateEnds", "CorswardWebhookCertificateExpiring"),
    ("CorswardHeldBack", "CorswardUnpublishable"),
    ("CorswardNobodyWrites", "CorswardNoLeader"),
    ("CorswardPublishFails", "CorswardPublishFailing"),
    ("CorswardStatusFails", "CorswardStatusWriteFailing"),
    ("Laggard", "OutOfSyncPod"),
    ("Neighbors", "Dependencies"),
    ("Rehearsal", "Shadow"),
    ("Surroundings", "ClusterState"),
    ("corsward_attachments", "corsward_bundles"),
    ("corsward_held_back", "corsward_unpublishable_policies"),
    ("corsward_object_writes_total", "corsward_publish_total"),
    ("corsward_publishes_total", "corsward_publish_total"),
    ("corsward_rehearsals", "corsward_shadow_comparisons"),
    ("corsward_rehearsed", "corsward_shadow_decisions"),
    ("corsward_touches_total", "corsward_plugin_refreshes_total"),
];

#[test]
fn no_file_uses_a_replaced_name() {
    for (file, text) in texts() {
        // The list itself, and the notes for users of the old names.
        if file.ends_with("tidy.rs") || file.ends_with("CHANGELOG.md") {
            continue;
        }
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let found = words.find_map(|word| RENAMED.iter().find(|(old, _)| *old == word));
        assert_eq!(found, None, "{}: the first name is replaced by the second", file.display());
    }
}

#[test]
fn files_are_short_and_named_after_their_noun() {
    for (file, text) in texts() {
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        assert!(!file.ends_with("mod.rs"), "{}", file.display());
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for vague in ["util", "utils", "helper", "helpers", "manager", "common", "misc"] {
            assert_ne!(name, vague, "{}", file.display());
        }
        let lines = code(&text).lines().count();
        assert!(lines <= 600, "{} has {lines} lines", file.display());
    }
}

#[test]
fn a_file_has_the_name_of_the_noun_in_its_first_line() {
    let mut nouns = 0;
    for (file, text) in texts() {
        let Some(noun) = noun(&text).filter(|_| is_rust(&file)) else { continue };
        nouns += 1;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // A verb and its noun count as one word: `compile` and compilation.
        let is_one =
            |word: &str, other: &str| word.bytes().zip(other.bytes()).take(3).all(|(a, b)| a == b);
        let is_named = noun.iter().any(|word| stem.split('_').any(|part| is_one(word, part)));
        assert!(is_named || stem == "tests" || stem == "main", "{}: {noun:?}", file.display());
    }
    assert!(nouns > 100, "only {nouns} files begin with a noun");
}

/// The words before the colon of `//! Noun: …`, in lower case. None: the line does not begin with up to three words of a noun.
fn noun(text: &str) -> Option<Vec<String>> {
    let (noun, _) = text.lines().next()?.strip_prefix("//! ")?.split_once(": ")?;
    let mut words = Vec::new();
    for word in noun.split([' ', '-']) {
        // `OriginPattern` has two words.
        let mut parts = String::new();
        for c in word.trim_matches('`').chars() {
            if c.is_uppercase() && parts.ends_with(char::is_lowercase) {
                parts.push(' ');
            }
            parts.push(c);
        }
        words.extend(parts.split(' ').map(str::to_lowercase));
    }
    let article = ["a", "an", "how", "one", "the", "what", "which"];
    let starts = noun.trim_start_matches('`').starts_with(|c: char| c.is_ascii_uppercase());
    (starts && words.len() <= 3 && !article.contains(&words.first()?.as_str())).then_some(words)
}

#[test]
fn no_file_knows_a_machine() {
    let traces = [["/ro", "ot/"], ["/ho", "me/"], ["/wo", "rk/"], ["artifact", "ory"]];
    for (file, text) in texts() {
        for [first, second] in traces {
            let trace = format!("{first}{second}");
            let told = text.lines().find(|line| line.contains(&trace));
            assert_eq!(told, None, "{} knows a machine", file.display());
        }
    }
}

#[test]
fn every_source_file_says_what_it_is() {
    for (file, text) in texts() {
        if file.extension().is_some_and(|extension| extension == "rs") {
            assert!(text.starts_with("//!"), "{} has no `//!` line", file.display());
        }
    }
}

#[test]
fn this_map_is_true() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for path in backticked(&map).filter(|text| text.contains('/') && !text.contains(' ')) {
        let path = path.trim_end_matches('/');
        // `/policies` is an address of the operator, not a file.
        assert!(path.starts_with('/') || root().join(path).exists(), "there is no {path}");
    }
    let mut invariants = 0;
    for paragraph in map.split("\n\n").filter(|text| text.starts_with("**Invariant:**")) {
        let named: Vec<&str> = backticked(paragraph).collect();
        let [.., file, test] = named.as_slice() else {
            panic!("no test is named: {paragraph}");
        };
        let text = fs::read_to_string(root().join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}: {paragraph}"));
        assert!(text.contains(&format!("fn {test}(")), "{file} has no test {test}");
        invariants += 1;
    }
    assert!(invariants >= 20, "only {invariants} invariants were found");
}

#[test]
fn the_tests_that_the_docs_name_exist() {
    for (doc, fewest) in [("docs/caches.md", 4), ("docs/filters.md", 24)] {
        let text = fs::read_to_string(root().join(doc)).unwrap();
        let mut named = 0;
        let rows = text.lines().filter(|line| line.starts_with("| "));
        let untested: Vec<&str> = rows.filter(|row| !row.contains("tests/tests/")).collect();
        // The heads of the tables, and what caches of others do.
        assert!(
            untested.iter().all(|row| !doc.ends_with("filters.md") || row.ends_with("| test |")),
            "{doc}: {untested:?}"
        );
        for row in text.lines().filter(|line| line.contains("`tests/tests/")) {
            let words: Vec<&str> = backticked(row).collect();
            let at = words.iter().position(|word| word.starts_with("tests/tests/")).unwrap();
            let (file, tests) = (words[at], &words[at + 1..]);
            let code = fs::read_to_string(root().join(file))
                .unwrap_or_else(|error| panic!("{doc}: {file}: {error}"));
            assert!(!tests.is_empty(), "{doc} names no test of {file}");
            for test in tests {
                assert!(code.contains(&format!("fn {test}(")), "{doc}: {file} has no test {test}");
            }
            named += tests.len();
        }
        assert!(named >= fewest, "{doc} names only {named} tests");
    }
}

/// The pages and files that may cite a section of `docs/design.md` by number.
fn citing_texts() -> Vec<(PathBuf, String)> {
    let mut files = texts();
    collect(&root().join("tests/corpus"), Path::new(""), &mut files);
    files
}

/// The numbers that follow `design` or `design section` in a text.
fn cited_sections(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let numbers = text.split("design ").skip(1).map(|rest| {
        let rest = rest.strip_prefix("section ").unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        rest[..end].trim_end_matches('.').to_owned()
    });
    numbers.filter(|number| !number.is_empty()).collect()
}

#[test]
fn every_citation_of_the_design_resolves_to_a_heading() {
    let design = fs::read_to_string(root().join("docs/design.md")).unwrap();
    let headings = design.lines().filter_map(|line| line.split_once("# "));
    let sections: BTreeSet<&str> =
        headings.filter_map(|(_, heading)| heading.split_whitespace().next()).collect();
    let mut citations = 0;
    for (file, text) in citing_texts() {
        for section in cited_sections(&text) {
            assert!(sections.contains(&*section), "{}: design {section}", file.display());
            citations += 1;
        }
        // Notes that a reader of the repository does not have.
        assert!(!text.contains("why = \"facts:"), "{}", file.display());
    }
    assert!(citations > 300, "only {citations} citations were found");
}

#[test]
fn the_limits_of_the_design_are_those_of_the_code() {
    use corsward_policy::limits;
    let design = fs::read_to_string(root().join("docs/design.md")).unwrap();
    for (name, value) in [
        ("MAX_SCHEME_LEN", limits::MAX_SCHEME_LEN),
        ("MAX_HOST_LEN", limits::MAX_HOST_LEN),
        ("MAX_ORIGIN_LEN", limits::MAX_ORIGIN_LEN),
        ("MAX_REQUEST_HEADERS_LEN", limits::MAX_REQUEST_HEADERS_LEN),
        ("MAX_REQUEST_HEADERS", limits::MAX_REQUEST_HEADERS),
        ("MAX_LIST_LEN", limits::MAX_LIST_LEN),
        ("MAX_ORIGIN_SETS", limits::MAX_ORIGIN_SETS),
        ("MAX_TRUSTED_ORIGINS", limits::MAX_TRUSTED_ORIGINS),
        ("MAX_HOSTNAMES", limits::MAX_HOSTNAMES),
        ("MAX_RULES", limits::MAX_RULES),
        ("MAX_METHODS", limits::MAX_METHODS),
        ("MAX_HEADERS", limits::MAX_HEADERS),
        ("MAX_REGEXES", limits::MAX_REGEXES),
        ("MAX_REGEX_LEN", limits::MAX_REGEX_LEN),
        ("MAX_REGEX_SIZE", limits::MAX_REGEX_SIZE),
        ("MAX_REGEX_STEPS", limits::MAX_REGEX_STEPS),
        ("MAX_RULE_PATH_LEN", limits::MAX_RULE_PATH_LEN),
        ("MAX_WIRE_LEN", limits::MAX_WIRE_LEN),
    ] {
        let row = design.lines().find(|line| line.ends_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/design.md has no row for {name}"));
        let written = row.split(" | ").nth(1).and_then(|cell| cell.split(' ').next());
        assert_eq!(written, Some(&*value.to_string()), "{row}");
    }
    let rows = design.lines().filter(|line| line.ends_with("_LEN` |") || line.contains("`MAX_"));
    assert_eq!(rows.count(), 18, "each row of the table is compared");
}

/// The most that prose may have: indefinite pronouns in 1 000 words, and openings with a question word in 100 sentences.
const PROSE: (f64, f64) = (2.0, 3.0);

/// The places whose doc comments are measured as pages are.
const COMMENTED: [&str; 10] = [
    "cli",
    "filter",
    "operator/api",
    "operator/controller",
    "operator/core",
    "policy/diff",
    "policy/manifest",
    "policy/src",
    "tests",
    "xtask",
];

#[test]
fn pages_say_their_subject_first() {
    let mut all = Measure::default();
    let mut wrong = Vec::new();
    for (file, text) in texts() {
        let is_page = file == Path::new("README.md") || file.starts_with("docs");
        if !is_page || file.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let measure = Measure::of_page(&text);
        // One of each is no habit, however short a page is.
        if exceeds(&measure, PROSE) && (measure.pronouns.len() > 1 || measure.openings.len() > 1) {
            wrong.push(format!("{}: {measure}", file.display()));
        }
        all.extend(measure);
    }
    assert!(all.words > 10_000, "only {} words were read", all.words);
    assert!(wrong.is_empty() && !exceeds(&all, PROSE), "{}\nall: {all}", wrong.join("\n"));
}

#[test]
fn doc_comments_say_their_subject_first() {
    for place in COMMENTED {
        let mut measure = Measure::default();
        for (file, text) in texts() {
            if !file.starts_with(place) {
                continue;
            }
            let is_code = is_rust(&file);
            let read = if is_code { Measure::of_doc_comments } else { Measure::of_page };
            measure.extend(read(&text));
        }
        assert!(measure.words > 1000, "{place}: only {} words were read", measure.words);
        assert!(!exceeds(&measure, PROSE), "{place}: {measure}");
    }
}

fn exceeds(measure: &Measure, (pronouns, openings): (f64, f64)) -> bool {
    measure.pronouns_per_mille() > pronouns || measure.openings_per_cent() > openings
}

fn root() -> PathBuf {
    suite::folder().join("..")
}

/// The manifest of a crate, by its folder.
fn manifest(of: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(of).join("Cargo.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

/// The names of a crate's dependencies at run time.
fn dependencies(of: &str) -> Vec<String> {
    let manifest = manifest(of);
    let mut names = BTreeSet::new();
    let mut take = |table: &toml::Table| {
        if let Some(toml::Value::Table(dependencies)) = table.get("dependencies") {
            names.extend(dependencies.keys().cloned());
        }
    };
    take(&manifest);
    if let Some(toml::Value::Table(targets)) = manifest.get("target") {
        targets.values().filter_map(toml::Value::as_table).for_each(&mut take);
    }
    names.into_iter().collect()
}

/// The Rust files below a folder, by their path in the repository; modules that only tests have are left out.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> =
        texts().into_iter().filter(|(file, _)| file.starts_with(folder) && is_rust(file)).collect();
    let for_tests: BTreeSet<String> = files
        .iter()
        .flat_map(|(_, text)| text.split("#[cfg(test)]\nmod ").skip(1))
        .filter_map(|rest| rest.lines().next()?.strip_suffix(';').map(str::to_owned))
        .collect();
    files.retain(|(file, _)| {
        let is_for_tests = |part: &str| for_tests.contains(part.trim_end_matches(".rs"));
        !file.iter().filter_map(|part| part.to_str()).any(is_for_tests)
    });
    assert!(!files.is_empty(), "{folder} holds nothing");
    files
}

fn is_decide(file: &Path) -> bool {
    file.ends_with("policy/src/decide.rs")
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// The text before the tests of a file.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

/// Every text file of the repository that a person writes.
fn texts() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    collect(&root(), Path::new(""), &mut files);
    files
}

fn collect(root: &Path, at: &Path, files: &mut Vec<(PathBuf, String)>) {
    // What others wrote, what programs wrote, and what nobody keeps.
    const LEFT_OUT: [&str; 8] = [
        ".git",
        "target",
        "node_modules",
        "artifacts",
        "coverage",
        "vectors",
        "corpus",
        "regressions",
    ];
    for entry in fs::read_dir(root.join(at)).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = at.join(&name);
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
            collect(root, &path, files);
        } else if kind.is_file()
            // A second working tree has a file of that name.
            && name != ".git"
            && name != "Cargo.lock"
            && let Ok(text) = fs::read_to_string(root.join(&path))
        {
            files.push((path, text));
        }
    }
}

/// The texts between backticks, without blocks of code.
fn backticked(text: &str) -> impl Iterator<Item = &str> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(|prose| prose.split('`').skip(1).step_by(2))
}
