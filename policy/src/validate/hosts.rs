//! Hosts: the entries of `hostnames`.

use std::collections::HashMap;

use super::Knowledge;
use super::report::{Field, Report};
use crate::finding::{HostReason, ListReason};
use crate::limits::MAX_HOSTNAMES;
use crate::scope::{HostPattern, InvalidHost, split_authority};

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
                let instead = instead(written, &why, knowledge);
                report.add(&entry, HostReason::Invalid { value, why, instead });
                continue;
            }
        };
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

/// What was probably meant by an entry that does not parse.
fn instead(written: &str, why: &InvalidHost, knowledge: &dyn Knowledge) -> Option<String> {
    let meant = match why {
        InvalidHost::Scheme | InvalidHost::Character('/' | '?' | '#') => {
            let rest = written.split_once("://").map_or(written, |(_, rest)| rest);
            host_of(rest.split(['/', '?', '#']).next()?)
        }
        InvalidHost::Port => host_of(written),
        InvalidHost::TrailingDot => written.trim_end_matches('.').to_owned(),
        InvalidHost::Character(c) if c.is_whitespace() => written.trim().to_owned(),
        InvalidHost::Character(c) if !c.is_ascii() => knowledge.punycode(written)?,
        _ => return None,
    };
    // What is no better than what was written is no help.
    HostPattern::parse(&meant).ok().map(|host| host.to_string())
}

/// An authority without its port.
fn host_of(authority: &str) -> String {
    let (host, _) = split_authority(authority.as_bytes());
    String::from_utf8_lossy(host).into_owned()
}
