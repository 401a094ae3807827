//! Reasons about `hostnames`.

use super::list::entries;
use super::quoted::Quoted;
use super::{Explain, Sentence, Written};
use crate::host_syntax::{self, HostSyntax};
use crate::scope::InvalidHost;

/// Reasons about an entry of `hostnames`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostReason {
    /// Not a host.
    Invalid {
        /// The entry as written.
        value: String,
        /// The reason.
        why: InvalidHost,
        /// The probably intended entry.
        instead: Option<String>,
    },
    /// A host in the syntax of a different system.
    OtherSyntax {
        /// The entry as written.
        value: String,
        /// The syntax.
        syntax: HostSyntax,
        /// The entries that are meant.
        instead: Vec<String>,
    },
    /// It ends in a number and is no IPv4 address.
    NoAddress(String),
    /// A host by whose name other systems mean every host.
    WordForEvery(String),
}

// === impl HostReason ===

impl Explain for HostReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Invalid { value, why, instead } => invalid(value, why, instead.as_deref()),
            Self::OtherSyntax { value, syntax, instead } => entries(
                "CORS-E409",
                format!(
                    "{} is {syntax}, and an entry is a host, or `*.` and a host",
                    Quoted(value)
                ),
                instead,
                &match syntax {
                    HostSyntax::Placeholder => {
                        "write the host itself, because nothing replaces variables in a policy"
                            .to_owned()
                    }
                    _ => each_host(value),
                },
            ),
            Self::NoAddress(value) => Sentence::new(
                "CORS-E410",
                format!(
                    "{} ends in a number and is no IPv4 address, so that no browser sends it",
                    Quoted(value)
                ),
                "write an address such as `192.0.2.1`, or a host",
            ),
            Self::WordForEvery(value) => Sentence::write(
                "CORS-W401",
                format!("{} is the host of that name, and no word for every host", Quoted(value)),
                Written::text("*"),
            )
            .and(" where every host is meant"),
        }
    }
}

/// The advice about an entry that stands for several hosts.
fn each_host(value: &str) -> String {
    match host_syntax::below_wildcards(value) {
        Some(pattern) => {
            format!("write one entry for each host, or {} for all below", Quoted(&pattern))
        }
        None => "write one entry for each host, or a pattern such as `*.shop.example`".to_owned(),
    }
}

fn invalid(value: &str, why: &InvalidHost, instead: Option<&str>) -> Sentence {
    let each_host = each_host(value);
    let value = Quoted(value);
    let (code, matter, fix) = match why {
        InvalidHost::Empty => (
            "CORS-E401",
            format!("{value} names no host"),
            "write a host such as `api.shop.example`, or `*` for every one",
        ),
        InvalidHost::Scheme => (
            "CORS-E402",
            format!("{value} is an origin, and `hostnames` are the hosts of requests"),
            "write the host alone",
        ),
        InvalidHost::Port => (
            "CORS-E403",
            format!("{value} has a port, and hosts are compared without"),
            "write the host alone",
        ),
        InvalidHost::Character(c) => (
            "CORS-E404",
            format!("{value} has {} in it", Quoted(c.encode_utf8(&mut [0; 4]))),
            "use `a-z`, `0-9`, `-`, `_` and `.`, one host per entry",
        ),
        InvalidHost::TrailingDot => (
            "CORS-E405",
            format!("{value} ends in a dot, and hosts are compared without"),
            "write it without the dot",
        ),
        InvalidHost::EmptyLabel => (
            "CORS-E406",
            format!("{value} has an empty label"),
            "write at least one character between two dots",
        ),
        InvalidHost::Star => (
            "CORS-E407",
            format!("{value} has a `*` that is not its whole first label"),
            each_host.as_str(),
        ),
        InvalidHost::TooLong => (
            "CORS-E408",
            format!("{value} has more than 253 characters"),
            "write a host that DNS can hold",
        ),
    };
    match instead {
        Some(instead) => Sentence::write(code, matter, Written::text(instead)),
        None => Sentence::new(code, matter, fix),
    }
}
