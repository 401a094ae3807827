//! The pages of the documentation: their examples are accepted, and their exchanges happen as shown.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use corsward_cli::policies::Policies;
use corsward_policy::{Finding, Refusal, Severity};
use corsward_test_harness::envoy_fixture::EnvoyFixture;
use corsward_test_harness::policies;
use corsward_tests::page::{self, Example};
use corsward_tests::{model, suite};
use serde_json::Value;

/// Pages of tasks that owe a reader an example and an exchange each.
const TASKS: [&str; 10] = [
    "debugging.md",
    "grpc-web.md",
    "mcp.md",
    "preflights.md",
    "own-cors.md",
    "private-networks.md",
    "shells.md",
    "sign-in.md",
    "tracing.md",
    "uploads.md",
];

#[test]
fn every_example_is_accepted_without_a_warning() {
    let mut wrong = Vec::new();
    for example in examples() {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        fs::write(file.path(), &example.yaml).unwrap();
        let policies = Policies::read(&[file.path()]);
        let findings = || policies.findings.iter().map(|found| &found.finding);
        let warnings = findings().filter(|finding| finding.severity() == Severity::Warning);
        let warnings: Vec<&str> = warnings.map(Finding::code).collect();
        if policies.is_refused() || policies.policies.is_empty() || warnings != example.warns {
            wrong.push(format!("{}: {:#?}", example.place, findings().collect::<Vec<_>>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_example_that_is_a_file_is_that_file() {
    for Example { place, yaml, file, .. } in examples() {
        let Some(file) = file else { continue };
        let text = fs::read_to_string(suite::folder().join("..").join(&file))
            .unwrap_or_else(|error| panic!("{place}: {file}: {error}"));
        assert_eq!(yaml, text, "{place} is not {file}");
    }
}

#[test]
fn every_task_has_an_example_that_is_replayed() {
    for task in TASKS {
        let replayed = page::examples(&docs().join(task))
            .unwrap()
            .iter()
            .map(|example| example.exchanges.len())
            .sum::<usize>();
        assert!(replayed > 0, "{task} shows no exchange");
    }
}

#[test]
fn every_exchange_happens_as_shown() {
    let mut fixture = EnvoyFixture::plan().unwrap().start().unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for example in examples() {
        if example.exchanges.is_empty() {
            continue;
        }
        let objects = objects(&example);
        let objects: Vec<&Value> = objects.iter().collect();
        let compiled = match policies::compile(&objects) {
            Ok((_, compiled)) => compiled,
            Err(error) => {
                wrong.push(format!("{}: {error:#}", example.place));
                continue;
            }
        };
        fixture.configure(&objects).unwrap();
        for exchange in &example.exchanges {
            count += 1;
            let answers = [
                ("the core", model::answer(&compiled, &exchange.case)),
                ("Envoy", fixture.answer(&exchange.case).unwrap()),
            ];
            for (machine, answer) in answers {
                for difference in exchange.differences(&answer) {
                    wrong.push(format!("{}: {machine}: {difference}", exchange.case.name));
                }
            }
        }
    }
    fixture.ensure_healthy().unwrap();
    println!("{count} exchanges");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_on_debugging_explains_every_reason_of_the_filter() {
    let page = fs::read_to_string(docs().join("debugging.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.split(" | ").nth(1));
    let reason = |cell: &str| {
        let (_, reason) = cell.split_once("`reason=")?;
        Some(reason.trim_end_matches('`').to_owned())
    };
    let explained: BTreeSet<String> = cells.filter_map(reason).collect();
    let reasons: BTreeSet<String> =
        Refusal::ALL.iter().map(|refusal| refusal.label().to_owned()).collect();
    assert_eq!(explained, reasons);
    let tags = fs::read_to_string(docs().join("stats-tags.md")).unwrap();
    let row = tags.lines().find(|line| line.starts_with("| `reason` |")).unwrap();
    let labels: BTreeSet<String> =
        row.split('`').skip(3).step_by(2).map(str::to_owned).filter(|it| it != "none").collect();
    assert_eq!(labels, reasons);
}

#[test]
fn the_index_leads_to_every_page_once_and_in_order() {
    let index = fs::read_to_string(docs().join("README.md")).unwrap();
    let headings: Vec<&str> = index.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, ["Start", "Concepts", "Tasks", "Reference", "Operations"]);
    for page in pages() {
        let name = page.strip_prefix(docs()).unwrap().display().to_string();
        let links = index.matches(&format!("]({name})")).count();
        assert!(name == "README.md" || links == 1, "docs/README.md leads {links} times to {name}");
    }
    // A page has a line of its own: its name, and its subject.
    for line in index.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let subject = line.split_once("): ").map(|(_, subject)| subject).unwrap_or_default();
        assert!(line.starts_with("- [") && subject.ends_with('.'), "{line}");
        assert_eq!(line.matches("](").count(), 1, "{line}");
    }
}

#[test]
fn the_glossary_defines_each_word_once_and_names_its_source() {
    let text = fs::read_to_string(docs().join("glossary.md")).unwrap();
    let (mut words, mut all) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        if line.starts_with("## ") {
            words.clear();
        }
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else {
            continue;
        };
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        let [word, meaning, source] = cells[..] else { panic!("{line}") };
        if word == "word" {
            continue;
        }
        assert!(!meaning.is_empty() && !meaning.ends_with('.'), "{line}");
        // A word without a document has a reason.
        assert!(!source.is_empty() && source.trim_end() != "corsward:", "{line}");
        assert!(source != "corsward" && !source.ends_with('.'), "{line}");
        assert!(
            words.last().is_none_or(|last: &String| *last < word.to_lowercase()),
            "{word} is not in its place"
        );
        words.push(word.to_lowercase());
        assert!(all.insert(word), "{word} has two lines");
    }
    assert!(all.len() > 40, "only {} words were read", all.len());
}

#[test]
fn the_log_lines_of_the_operations_page_are_those_of_the_operator() {
    let page = fs::read_to_string(docs().join("operations.md")).unwrap();
    let mut literals = String::new();
    let mut folders =
        ["core", "controller"].map(|of| root().join("operator").join(of).join("src")).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => literals.push_str(&fs::read_to_string(path).unwrap()),
            }
        }
    }
    let section = |name: &str| {
        let (_, rest) = page.split_once(&format!("\n## {name}\n")).unwrap();
        rest.split("\n## ").next().unwrap().to_owned()
    };
    let logs = section("Logs");
    let rows = logs.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.flat_map(|row| row.split(" | ").take(2));
    let mut messages: Vec<String> = cells
        .filter_map(|cell| cell.trim_start_matches('`').split('`').next())
        .map(str::to_owned)
        .collect();
    assert!(messages.len() >= 10, "{messages:?}");
    let leader = section("The leader");
    let is_message = |text: &&str| text.contains(" replica ");
    let prose: String = leader.split("```").step_by(2).collect();
    messages.extend(prose.split('`').skip(1).step_by(2).filter(is_message).map(str::to_owned));
    assert!(messages.len() >= 13, "{messages:?}");
    for message in messages {
        assert!(literals.contains(&format!("\"{message}\"")), "no log line is `{message}`");
    }
    // The sample of a line.
    let sample = leader.split("\"message\":\"").nth(1).unwrap();
    let message = sample.split('`').next().unwrap();
    assert!(literals.contains(&format!("\"{message}`")), "no log line begins `{message}`");
}

/// A table: its head, and its rows, each in cells.
type Rows = Vec<Vec<String>>;

#[test]
fn the_costs_of_the_filters_are_those_that_were_measured() {
    let measured = fs::read_to_string(docs().join("benchmarks.md")).unwrap();
    let section = |name: &str| measured.split("\n## ").find(|it| it.starts_with(name)).unwrap();
    let [one, eight] = tables(section("Microseconds of CPU")).try_into().unwrap();
    let memory = tables(section("Memory")).remove(0);
    let told = tables(&fs::read_to_string(docs().join("filter.md")).unwrap());
    for (name, measured) in
        [("one filter in the chain", one), ("eight filters in the chain", eight)]
    {
        let told = told.iter().find(|table| table[0][0] == name).unwrap();
        assert!(told.len() > 2, "{name}");
        for row in &told[1..] {
            for (column, told) in told[0].iter().zip(row).skip(1) {
                let of = if column == "MiB" { &memory } else { &measured };
                let measured = figure(cell(of, &row[0], column));
                assert_eq!(told, measured, "{name}: {}, {column}", row[0]);
            }
        }
    }
}

fn tables(page: &str) -> Vec<Rows> {
    let is_row = |line: &&str| line.starts_with('|');
    let lines: Vec<&str> = page.lines().collect();
    let tables = lines.chunk_by(|one, other| is_row(one) == is_row(other));
    let cells = |line: &&str| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = |lines: &[&str]| lines.iter().filter(|it| !it.contains("---")).map(cells).collect();
    tables.filter(|lines| is_row(&lines[0])).map(rows).collect()
}

#[track_caller]
fn cell<'t>(table: &'t Rows, row: &str, column: &str) -> &'t str {
    let column = table[0].iter().position(|head| head == column).unwrap();
    &table.iter().find(|cells| cells[0] == row).unwrap()[column]
}

/// The median of `+4.6 [4.1, 4.9]`, and any word.
fn figure(cell: &str) -> &str {
    let median = cell.split_once(" [").map_or(cell, |(median, _)| median);
    median.split_once(':').map_or(median, |(word, _)| word).trim_start_matches('+')
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages().into_iter().chain([root().join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        let folder = page.parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let target = if file.is_empty() { page.clone() } else { folder.join(file) };
            assert!(target.exists(), "{}: there is no {link}", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let found = text
                    .lines()
                    .filter_map(|line| line.strip_prefix('#'))
                    .any(|line| anchor(line.trim_start_matches('#').trim()) == heading);
                assert!(found, "{}: there is no heading {link}", page.display());
            }
        }
    }
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn root() -> PathBuf {
    suite::folder().join("..")
}

fn docs() -> PathBuf {
    root().join("docs")
}

fn pages() -> Vec<PathBuf> {
    let folders = [docs(), docs().join("migrate")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut pages: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

fn examples() -> Vec<Example> {
    let read = |page: PathBuf| page::examples(&page).unwrap_or_else(|error| panic!("{error:#}"));
    let examples: Vec<Example> =
        pages().into_iter().chain([root().join("README.md")]).flat_map(read).collect();
    assert!(examples.len() > 8, "only {} examples were found", examples.len());
    examples
}

fn objects(example: &Example) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(&example.yaml)
        .unwrap_or_else(|error| panic!("{}: {error}", example.place));
    objects.into_iter().filter(|object| object["kind"] == "CorsPolicy").collect()
}
