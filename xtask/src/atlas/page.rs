//! Page: `docs/atlas.md`, rendered from the answers.

use std::fmt::Write as _;

use super::answer::Answers;
use super::cell;
use super::probe::PROBES;
use super::surprise::{FOREIGN_RUNS, Grade, SURPRISES};

const HEAD: &str = "\
# The atlas: answers of real CORS implementations

<!-- Written by `cargo xtask generate` from tests/atlas/answers.jsonl. -->

Each implementation runs in an application of [`tests/atlas`](../tests/atlas), with one list of settings: the origin `https://app.example`, the
methods `GET, PUT`, the request headers `x-a, content-type`, the exposed header `x-id`, credentials, and an age of 600 seconds. P10 to P13 have a
different origin in the settings: any origin for P10 and P11, `https://app.example/` for P12, `HTTPS://App.Example` for P13. Each probe is one
request over a connection of its own, with `Host: api.example`. The raw answers are in [`tests/atlas/answers.jsonl`](../tests/atlas/answers.jsonl); the tables show what
a browser makes of them by the rules of the Fetch standard. *passes* and *readable*: with credentials or without.

![A row for each implementation, a column for each probe: green as expected, yellow with ~ odd, red with × harmful, gray not asked](atlas.svg)

    cargo xtask atlas              measures anew, and prints each change
    cargo xtask atlas gin Envoy    the same for some
    cargo xtask atlas --write      takes the changes over

The packages are pinned. An implementation without its program on the machine (`apache2`, `haproxy`, `nginx`, `node`, `python3`, `java` with `mvn`) is
skipped by name, with a hint how to install it, and the tables keep its last answers; [the last table](#versions) has the day of each measurement.

`corsward explain` recognizes an implementation by such answers ([explain.md](explain.md)), and `corsward import` models them
([Migration](migrate/README.md)).

";

/// A table, with its probes.
struct Table {
    title: &'static str,
    legend: &'static str,
    probes: &'static [&'static str],
}

const TABLES: [Table; 3] = [
    Table {
        title: "Preflights",
        legend: "*lists sent*: the answer has `Access-Control-Allow-Methods` or `Access-Control-Allow-Headers`, and a browser compares. P16 shows the status \
                 and the names of the CORS protocol in `Vary`, P17 the value of `Access-Control-Allow-Private-Network`.",
        probes: &["P1", "P2", "P3", "P9", "P16", "P17"],
    },
    Table {
        title: "Requests",
        legend: "*ran*: the application's handler. P14: the names in `Vary` of a handler that has one of its own. P15: the `Access-Control-Allow-Origin` \
                 that arrives, and whether a request with cookies fails by it.",
        probes: &["P4", "P5", "P6", "P7", "P8", "P14", "P15"],
    },
    Table {
        title: "Settings",
        legend: "*echo*: the request's origin. *does not start*: the implementation refuses the setting.",
        probes: &["P10", "P11", "P12", "P13"],
    },
];

/// The page.
pub(super) fn render(all: &[Answers]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("## Probes\n\n| probe | request |\n|---|---|\n");
    for probe in &PROBES {
        push(&mut text, format_args!("| {} | {} |\n", probe.id, probe.asks));
    }
    for table in &TABLES {
        table_of(table, all, &mut text);
    }
    surprises(all, &mut text);
    text.push_str("\n## Versions\n\n| implementation | version | measured |\n|---|---|---|\n");
    for Answers { head, .. } in all {
        push(
            &mut text,
            format_args!("| {} | {} | {} |\n", head.implementation, head.version, head.measured),
        );
    }
    text
}

fn surprises(all: &[Answers], text: &mut String) {
    let run = listed(&FOREIGN_RUNS.shown_by(all), all);
    push(
        text,
        format_args!(
            "\n## Surprises\n\nNo surprise, by the standard. {}: {run}.\n",
            FOREIGN_RUNS.text
        ),
    );
    text.push_str("\nThe lists follow from the answers, by the grade of the habit.\n");
    for (grade, title) in [
        (Grade::Harmful, "Harmful: opens data to other sites, or breaks pages"),
        (Grade::Odd, "Odd: works, and not as the settings say"),
        (Grade::Usual, "As expected, and worth knowing"),
    ] {
        push(text, format_args!("\n### {title}\n\n"));
        for surprise in SURPRISES.iter().filter(|surprise| surprise.grade == grade) {
            let names = surprise.shown_by(all);
            if !names.is_empty() {
                push(text, format_args!("- {}: {}.\n", surprise.text, listed(&names, all)));
            }
        }
    }
}

/// The names; where most are meant, the others.
fn listed(names: &[&str], all: &[Answers]) -> String {
    let others = all.iter().map(|answers| answers.head.implementation.as_str());
    let others: Vec<&str> = others.filter(|name| !names.contains(name)).collect();
    match others.len() {
        0 => "all".to_owned(),
        few if few * 3 < all.len() => format!("all but {}", others.join(" · ")),
        _ => names.join(" · "),
    }
}

fn table_of(table: &Table, all: &[Answers], text: &mut String) {
    let probes = PROBES.iter().filter(|probe| table.probes.contains(&probe.id));
    let heads: String =
        probes.clone().map(|probe| format!(" {} {} |", probe.id, probe.head)).collect();
    let rule = "---|".repeat(table.probes.len());
    push(
        text,
        format_args!(
            "\n## {}\n\n{}\n\n| implementation |{heads}\n|---|{rule}\n",
            table.title, table.legend
        ),
    );
    for answers in all {
        let cells = probes.clone().map(|probe| {
            let answer = answers.by_probe.get(probe.id);
            answer.map_or(" – |".to_owned(), |answer| format!(" {} |", cell::text(probe, answer)))
        });
        push(
            text,
            format_args!("| {} |{}\n", answers.head.implementation, cells.collect::<String>()),
        );
    }
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = text.write_fmt(more);
}
