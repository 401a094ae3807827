//! Cell: the short text for one answer, by what a browser makes of it.

use corsward_browser::{
    CorsRequest, CorsResponse, CredentialsMode, HeaderLine, Preflight, cors_check, preflight_check,
};

use super::answer::Answer;
use super::probe::{PROBES, Probe};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";

/// The credentials modes in which the browser accepts an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Refused,
    Anonymous,
    Credentialed,
}

/// The text for the answer to that probe.
pub(super) fn text(probe: &Probe, answer: &Answer) -> String {
    let Some(status) = answer.status else { return "does not start".to_owned() };
    let readable = if access(probe, answer) == Access::Refused { "hidden" } else { "readable" };
    match probe.id {
        "P4" => format!("{status}, {}", if answer.ran { "ran" } else { "not run" }),
        "P5" => no_origin(answer),
        "P6" | "P7" => format!("{status}, {readable}"),
        "P8" => format!("{status}{}", plain_options(answer)),
        "P10" | "P11" => any_origin(probe, answer),
        "P12" | "P13" => spelled(probe, answer),
        "P14" => vary_beside_own(answer).to_owned(),
        "P15" => own_header(probe, answer),
        "P16" => format!("{status}; {}", varying(answer)),
        "P17" => private_network(probe, answer),
        _ => preflight(probe, answer),
    }
}

/// What a browser makes of an answer.
pub(super) fn access(probe: &Probe, answer: &Answer) -> Access {
    let (Some(status), Some(origin)) = (answer.status, probe.header("origin")) else {
        return Access::Refused;
    };
    let headers = answer.headers.iter();
    let headers: Vec<HeaderLine> =
        headers.map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let response = CorsResponse { status, headers: &headers };
    let passes = |credentials| {
        let request = CorsRequest { origin: origin.into(), credentials };
        let Some(method) = probe.header("access-control-request-method") else {
            return cors_check(&request, response).is_ok();
        };
        let names = probe.header("access-control-request-headers").unwrap_or_default();
        let names = names.split(',').filter(|name| !name.is_empty());
        let unsafe_names = names.map(|name| name.to_ascii_lowercase().into()).collect();
        let preflight = Preflight { method: method.into(), unsafe_names };
        preflight_check(&request, &preflight, response).is_ok()
    };
    if passes(CredentialsMode::Include) {
        Access::Credentialed
    } else if passes(CredentialsMode::Omit) {
        Access::Anonymous
    } else {
        Access::Refused
    }
}

/// Whether the answer says what is allowed.
pub(super) fn has_lists(answer: &Answer) -> bool {
    ["methods", "headers"]
        .iter()
        .any(|list| answer.value(&format!("access-control-allow-{list}")).is_some())
}

/// Whether `Vary` has that name.
pub(super) fn varies_by(answer: &Answer, name: &str) -> bool {
    let vary = answer.value("vary").unwrap_or_default();
    vary.split(',').any(|element| element.trim() == name)
}

/// The number of lines with an allowed origin.
pub(super) fn origins(answer: &Answer) -> usize {
    answer.headers.iter().filter(|(name, _)| name == ALLOW_ORIGIN).count()
}

/// The probe of that name.
pub(super) fn probe(id: &str) -> Option<&'static Probe> {
    PROBES.iter().find(|probe| probe.id == id)
}

fn preflight(probe: &Probe, answer: &Answer) -> String {
    let status = answer.status.unwrap_or_default();
    let judged = match access(probe, answer) {
        Access::Refused if has_lists(answer) => "fails, lists sent",
        Access::Refused => "fails",
        _ => "passes",
    };
    format!("{status}, {judged}")
}

fn plain_options(answer: &Answer) -> &'static str {
    match (has_lists(answer), answer.ran) {
        (_, true) => ", ran",
        (true, false) => ", lists sent",
        (false, false) => "",
    }
}

fn no_origin(answer: &Answer) -> String {
    let vary = if varies_by(answer, "origin") { "`Vary`" } else { "no `Vary`" };
    let sent = if origins(answer) > 0 { ", origin sent" } else { "" };
    format!("{vary}{sent}")
}

fn any_origin(probe: &Probe, answer: &Answer) -> String {
    let status = answer.status.unwrap_or_default();
    let with = if answer.value("access-control-allow-credentials").is_some() {
        ", credentials"
    } else {
        ""
    };
    match answer.value(ALLOW_ORIGIN) {
        None if status >= 400 => format!("{status}, hidden"),
        None => "hidden".to_owned(),
        Some(origin) if Some(origin.as_str()) == probe.header("origin") => format!("echo{with}"),
        Some(origin) => format!("`{origin}`{with}"),
    }
}

fn spelled(probe: &Probe, answer: &Answer) -> String {
    match access(probe, answer) {
        Access::Refused if origins(answer) > 0 => "sent as written".to_owned(),
        Access::Refused => "never matches".to_owned(),
        _ => "matches".to_owned(),
    }
}

fn vary_beside_own(answer: &Answer) -> &'static str {
    match (varies_by(answer, "origin"), varies_by(answer, "accept-encoding")) {
        (true, true) => "both",
        (true, false) => "`Origin` alone",
        (false, true) => "own alone",
        (false, false) => "none",
    }
}

fn own_header(probe: &Probe, answer: &Answer) -> String {
    let whose = match (origins(answer), answer.value(ALLOW_ORIGIN).as_deref()) {
        (2.., _) => "both",
        (_, Some("*")) => "its own",
        (1, _) => "the layer's",
        _ => "none",
    };
    match access(probe, answer) {
        Access::Credentialed => whose.to_owned(),
        _ => format!("{whose}, no credentials"),
    }
}

fn varying(answer: &Answer) -> String {
    let names = [
        ("origin", "origin"),
        ("access-control-request-method", "method"),
        ("access-control-request-headers", "headers"),
        ("access-control-request-private-network", "network"),
    ];
    let named = names.iter().filter(|(name, _)| varies_by(answer, name)).map(|(_, short)| *short);
    match named.collect::<Vec<_>>() {
        named if named.is_empty() => "no `Vary`".to_owned(),
        named => format!("`Vary` {}", named.join(", ")),
    }
}

fn private_network(probe: &Probe, answer: &Answer) -> String {
    let sent = answer.value("access-control-allow-private-network");
    let sent = sent.map_or("none".to_owned(), |value| format!("`{value}`"));
    match access(probe, answer) {
        Access::Refused => format!("{sent}, {} fails", answer.status.unwrap_or_default()),
        _ => sent,
    }
}
