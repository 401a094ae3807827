//! The core by itself: time and allocations of a decision, of compiling and of reading what was compiled. Prints
//! tables in Markdown; `cargo xtask bench` puts them into `docs/benchmarks.md`.
//!
//! With arguments, such as `allowed 10000 1000`, it does one of them and prints nothing: that kind of request to a policy of 10000 origins,
//! or `decode` of 10000 policies, 1000 times, for callgrind to count.
#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a benchmark may stop, and counts small numbers"
)]

use std::alloc::System;
use std::borrow::Cow;
use std::hint::black_box;
use std::time::{Duration, Instant};

use corsward_policy::draft::CorsDraft;
use corsward_policy::validate::NoKnowledge;
use corsward_policy::{
    Compiled, Draft, Policy, PolicyId, Request, RequestField, compile, decide, validate, wire,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long to repeat something short.
const BUDGET: Duration = Duration::from_millis(200);

/// A request as lines.
struct Lines(Vec<(RequestField, &'static str)>);

impl Request for Lines {
    fn field(&self, field: RequestField) -> Option<Cow<'_, [u8]>> {
        let line = self.0.iter().find(|(name, _)| *name == field);
        line.map(|(_, value)| Cow::Borrowed(value.as_bytes()))
    }

    fn destination_port(&self) -> Option<u16> {
        None
    }
}

/// The kinds of requests.
const KINDS: [&str; 4] = ["no-origin", "allowed", "preflight", "refused"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if let [what, count, runs] = args.as_slice() {
        let number = |text: &String| text.parse().expect("a number");
        return one(what, number(count), number(runs));
    }
    decisions("origins in one policy", |count| vec![draft(0, origins(count), Vec::new())]);
    decisions("policies, a host and an origin each", drafts);
    configurations();
}

/// Does one of the measured things again and again.
fn one(what: &str, count: usize, runs: usize) {
    if what == "decode" {
        let text = wire::encode(&compiled(&drafts(count)));
        return counted(runs, || drop(black_box(wire::decode(black_box(&text)))));
    }
    let compiled = compiled(&[draft(0, origins(count), Vec::new())]);
    let requests = requests(origin(count - 1).leak(), "h0.example");
    let request = KINDS.into_iter().zip(&requests).find(|(kind, _)| *kind == what);
    let (_, request) = request.expect("a kind of request");
    counted(runs, || drop(black_box(decide(&compiled, black_box(request)))));
}

/// The name is one that callgrind counts by.
#[inline(never)]
fn counted(runs: usize, mut run: impl FnMut()) {
    (0..runs).for_each(|_| run());
}

/// Policies with a host and an origin each.
fn drafts(count: usize) -> Vec<Draft> {
    (0..count).map(|n| draft(n, vec![origin(n)], vec![format!("h{n}.example")])).collect()
}

/// Time and allocations of `decide`. The last origin and host are asked for: there is no better or worse one.
fn decisions(what: &str, drafts: impl Fn(usize) -> Vec<Draft>) {
    println!("`decide`, by the number of {what}: nanoseconds (heap allocations)\n");
    println!("| | no origin | allowed | preflight | refused |\n|---|---|---|---|---|");
    for count in [1, 100, 10_000] {
        let compiled = compiled(&drafts(count));
        let last = origin(count - 1).leak();
        let host = format!("h{}.example", count - 1).leak();
        let cells = requests(last, host).map(|request| {
            let allocations = Region::new(ALLOCATOR);
            black_box(decide(&compiled, &request));
            let allocations = allocations.change().allocations;
            let time = time_of(|| drop(black_box(decide(&compiled, black_box(&request)))));
            format!("{} ({allocations})", time.as_nanos())
        });
        println!("| {count} | {} |", cells.join(" | "));
    }
    println!();
}

/// Time of the way from policies to a filter that runs them.
fn configurations() {
    println!(
        "Configurations, by the number of policies (a host and an origin each): milliseconds\n"
    );
    println!("| | compile | encode | decode | KiB |\n|---|---|---|---|---|");
    for count in [10, 1_000, 10_000] {
        let policies = policies(&drafts(count));
        let policies: Vec<_> = policies.iter().collect();
        let compiled = compile(&policies);
        let text = wire::encode(&compiled);
        let times = [
            time_of(|| drop(black_box(compile(black_box(&policies))))),
            time_of(|| drop(black_box(wire::encode(black_box(&compiled))))),
            time_of(|| drop(black_box(wire::decode(black_box(&text))))),
        ];
        let times = times.map(|time| format!("{:.2}", time.as_secs_f64() * 1e3));
        println!("| {count} | {} | {} |", times.join(" | "), text.len() / 1024);
    }
}

fn requests(origin: &'static str, host: &'static str) -> [Lines; 4] {
    let get = [(RequestField::Method, "GET"), (RequestField::Authority, host)];
    let with = |more: &[(RequestField, &'static str)]| Lines([&get[..], more].concat());
    let preflight = Lines(vec![
        (RequestField::Method, "OPTIONS"),
        (RequestField::Authority, host),
        (RequestField::Origin, origin),
        (RequestField::AccessControlRequestMethod, "PUT"),
        (RequestField::AccessControlRequestHeaders, "content-type,x-token"),
    ]);
    [
        with(&[]),
        with(&[(RequestField::Origin, origin)]),
        preflight,
        with(&[(RequestField::Origin, "https://evil.example"), (RequestField::Path, "/")]),
    ]
}

fn origins(count: usize) -> Vec<String> {
    (0..count).map(origin).collect()
}

fn origin(number: usize) -> String {
    format!("https://app-{number}.shop.example")
}

fn draft(number: usize, allow_origins: Vec<String>, hostnames: Vec<String>) -> Draft {
    let cors = CorsDraft {
        allow_origins,
        allow_methods: vec!["PUT".to_owned(), "DELETE".to_owned()],
        allow_headers: vec!["content-type".to_owned(), "x-token".to_owned()],
        allow_credentials: true,
        max_age: Some(600),
        ..CorsDraft::default()
    };
    let id = PolicyId { namespace: "bench".to_owned(), name: format!("p{number}") };
    Draft { id, cors: Some(cors), hostnames, ..Draft::default() }
}

fn policies(drafts: &[Draft]) -> Vec<Policy> {
    let valid = |draft| validate(draft, &NoKnowledge).policy.expect("the drafts above are valid");
    drafts.iter().map(valid).collect()
}

fn compiled(drafts: &[Draft]) -> Compiled {
    compile(&policies(drafts).iter().collect::<Vec<_>>())
}

/// The median of a few series, each the mean of as many runs as fit.
fn time_of(mut run: impl FnMut()) -> Duration {
    const SERIES: u32 = 5;
    let begun = Instant::now();
    run();
    let once = begun.elapsed().max(Duration::from_nanos(20));
    let runs = (BUDGET.as_nanos() / u128::from(SERIES) / once.as_nanos()).clamp(1, 1_000_000);
    let runs = u32::try_from(runs).unwrap_or(u32::MAX);
    let mut series: Vec<Duration> = (0..SERIES)
        .map(|_| {
            let begun = Instant::now();
            (0..runs).for_each(|_| run());
            begun.elapsed() / runs
        })
        .collect();
    series.sort();
    series.get(series.len() / 2).copied().unwrap_or_default()
}
