//! The coverage of the snapshots: each reason of each condition and of each Event, and each kind of object.

use std::collections::BTreeSet;
use std::fs;

use corsward_operator_core::status::{ConditionType, Reason};

/// Each reason, and the condition that gives it.
const REASONS: [(Reason, ConditionType); 16] = [
    (Reason::Accepted, ConditionType::Accepted),
    (Reason::Invalid, ConditionType::Accepted),
    (Reason::GuardrailExceeded, ConditionType::Accepted),
    (Reason::TargetNotFound, ConditionType::Accepted),
    (Reason::Programmed, ConditionType::Programmed),
    (Reason::Published, ConditionType::Programmed),
    (Reason::PartiallyProgrammed, ConditionType::Programmed),
    (Reason::NotProgrammed, ConditionType::Programmed),
    (Reason::UnsupportedController, ConditionType::Programmed),
    (Reason::Reconciling, ConditionType::Programmed),
    (Reason::Overridden, ConditionType::Programmed),
    (Reason::Off, ConditionType::Programmed),
    (Reason::NotPublishable, ConditionType::Programmed),
    (Reason::ResolvedRefs, ConditionType::ResolvedRefs),
    (Reason::RefNotFound, ConditionType::ResolvedRefs),
    (Reason::AwaitingProxies, ConditionType::Programmed),
];

/// The ns of a reason in [`REASONS`]. A new reason does not compile without one.
const fn ns(reason: Reason) -> usize {
    match reason {
        Reason::Accepted => 0,
        Reason::Invalid => 1,
        Reason::GuardrailExceeded => 2,
        Reason::TargetNotFound => 3,
        Reason::Programmed => 4,
        Reason::Published => 5,
        Reason::PartiallyProgrammed => 6,
        Reason::NotProgrammed => 7,
        Reason::UnsupportedController => 8,
        Reason::Reconciling => 9,
        Reason::Overridden => 10,
        Reason::Off => 11,
        Reason::NotPublishable => 12,
        Reason::ResolvedRefs => 13,
        Reason::RefNotFound => 14,
        Reason::AwaitingProxies => 15,
    }
}

/// The snapshots of situations, and their names.
fn snapshots() -> Vec<(String, String)> {
    let names = super::situations().into_iter();
    let read = |name: String| {
        let path = super::folder().join(&name).with_extension("snap");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (name, text)
    };
    names.map(read).collect()
}

/// The texts after `field: ` in consecutive lines that have all of `fields`.
fn values(text: &str, fields: [&str; 2]) -> BTreeSet<[String; 2]> {
    let value = |line: &str, field: &str| {
        let (_, value) = line.split_once(&format!("{field}: "))?;
        Some(value.trim_matches('"').to_owned())
    };
    let lines: Vec<&str> = text.lines().collect();
    let pair = |lines: &[&str]| {
        let first = lines.iter().find_map(|line| value(line, fields[0]))?;
        Some([first, lines.iter().find_map(|line| value(line, fields[1]))?])
    };
    lines.windows(3).filter_map(pair).collect()
}

#[test]
fn each_reason_of_each_condition_is_in_a_snapshot() {
    let text: String = snapshots().into_iter().map(|(_, text)| text).collect();
    let shown = values(&text, ["reason", "type"]);
    for (at, (reason, condition)) in REASONS.into_iter().enumerate() {
        assert_eq!(ns(reason), at, "{reason:?}");
        let pair = [reason.into(), condition.into()].map(str::to_owned);
        assert!(shown.contains(&pair), "no snapshot shows {pair:?}");
    }
}

#[test]
fn each_reason_of_an_event_is_in_a_snapshot() {
    let text: String = snapshots().into_iter().map(|(_, text)| text).collect();
    let shown = values(&text, ["reason", "type"]);
    // An Event says what a condition says, once it is not on its way any more; references are a part of what is accepted.
    let silent = [
        Reason::Accepted,
        Reason::Reconciling,
        Reason::AwaitingProxies,
        Reason::ResolvedRefs,
        Reason::RefNotFound,
    ];
    let told = REASONS.into_iter().map(|(reason, _)| reason);
    let told = told.filter(|reason| !silent.contains(reason)).map(<&str>::from);
    for reason in told.chain(["FilterMissing"]) {
        let is_shown = ["Normal", "Warning"]
            .into_iter()
            .any(|kind| shown.contains(&[reason.to_owned(), kind.to_owned()]));
        assert!(is_shown, "no snapshot shows an Event {reason}");
    }
    for reason in silent.map(<&str>::from) {
        let is_shown = ["Normal", "Warning"]
            .into_iter()
            .any(|kind| shown.contains(&[reason.to_owned(), kind.to_owned()]));
        assert!(!is_shown, "there is an Event {reason}");
    }
}

#[test]
fn each_published_kind_and_each_status_is_in_a_snapshot() {
    let text: String = snapshots().into_iter().map(|(_, text)| text).collect();
    let kinds = ["WasmPlugin", "TrafficExtension", "EnvoyFilter", "ConfigMap"];
    let of = ["CorsPolicy", "OriginSet", "ClusterCorsPolicy"];
    let published = kinds.map(|kind| format!("kind: {kind}\n"));
    for shown in published.into_iter().chain(of.map(|kind| format!("of: {kind} "))) {
        assert!(text.contains(&shown), "no snapshot shows {shown:?}");
    }
}

#[test]
fn each_snapshot_has_its_situation() {
    let inputs = super::situations();
    for file in fs::read_dir(super::folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(inputs.contains(&name), "{path:?} is left over");
    }
}
