//! Hosts: the entries of `hostnames`.

use std::collections::HashMap;

use super::Knowledge;
use super::report::{Field, Report};
use crate::finding::{HostReason, ListReason};
use crate::host_syntax::{self, HostSyntax};
use crate::limits::MAX_HOSTNAMES;
use crate::origin::{ends_in_number, parse_ipv4};
use crate::scope::{HostPattern, InvalidHost};

pub(super) fn validate(
    list: &[String],
    field: &Field,
    knowledge: &dyn Knowledge,
    report: &mut Report,
) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    let mut seen: HashMap<HostPattern, usize> = HashMap::new();
    for (at, written) in report.bounded_to(MAX_HOSTNAMES, list, field).iter().enumerate() {
        let entry = field.at(at);
        let value = written.clone();
        let host = match HostPattern::parse(written) {
            Ok(host) => host,
            Err(why) => {
                report.add(&entry, refusal(value, why, knowledge));
                continue;
            }
        };
        if is_no_address(&host) {
            report.add(&entry, HostReason::NoAddress(value.clone()));
        } else if host_syntax::is_word_for_every_host(written) {
            report.add(&entry, HostReason::WordForEvery(value.clone()));
        }
        if let Some(first) = seen.get(&host) {
            let first = field.at(*first).to_string();
            report.add(&entry, ListReason::Repeated { value, first });
            continue;
        }
        let normal = host.to_string();
        if normal != value {
            report.add(&entry, ListReason::Normalized { value, normal });
        }
        seen.insert(host.clone(), at);
        hosts.push(host);
    }
    hosts
}

/// The refusal of an entry that is no host, with the intended entry.
fn refusal(value: String, why: InvalidHost, knowledge: &dyn Knowledge) -> HostReason {
    if let Some((syntax, instead)) = HostSyntax::of(&value) {
        return HostReason::OtherSyntax { value, syntax, instead };
    }
    let instead = match why {
        InvalidHost::Character(c) if !c.is_ascii() && !c.is_whitespace() => {
            let host = knowledge.punycode(&value);
            host.filter(|host| HostPattern::parse(host).is_ok())
        }
        _ => host_syntax::meant(&value),
    };
    HostReason::Invalid { value, why, instead }
}

/// Does it end in a number, and is no IPv4 address? A browser has no URL with such a host (URL standard, "host parser").
fn is_no_address(host: &HostPattern) -> bool {
    match host {
        HostPattern::Exact(host) => ends_in_number(host) && parse_ipv4(host).is_none(),
        HostPattern::Any | HostPattern::Subdomains(_) => false,
    }
}
