//! Reasons about origins as patterns.

use super::names::Names;
use super::quoted::Quoted;
use super::{Place, Proposal, Sentence, Written};
use crate::pattern::InvalidOrigin;

/// What there is to say about an entry of `allowOrigins` or `trustedOrigins`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginReason {
    /// Not an origin.
    Invalid {
        /// The entry as written.
        value: String,
        /// Why not.
        why: InvalidOrigin,
        /// What was probably meant: one entry, or several.
        instead: Vec<String>,
    },
    /// `*` beside other origins or a regex.
    AnyBesideOthers,
    /// `*`, or any host of http or https, among the trusted origins.
    AnyTrusted(String),
    /// Any host of another scheme among the trusted origins.
    AnyAppTrusted(String),
    /// `null` among the trusted origins.
    NullTrusted,
    /// No origin and no regex.
    Nobody,
    /// The same in a rule, where the policy's own block has some.
    NobodyHere,
    /// `null`.
    Null,
    /// `file://`.
    File(String),
    /// A scheme that no `Origin` header has.
    NeverSent(String),
    /// An entry whose origins another one accepts as well.
    Covered {
        /// The entry.
        value: String,
        /// The wider one.
        by: String,
    },
    /// `localhost` without `127.0.0.1`.
    LocalhostAlone {
        /// The entry.
        value: String,
        /// The entry that is missing.
        missing: String,
    },
    /// A loopback origin with credentials.
    Development(String),
}

// === impl OriginReason ===

impl OriginReason {
    pub(super) fn sentence(&self) -> Sentence {
        match self {
            Self::Invalid { value, why, instead } => invalid(value, why, instead),
            Self::AnyBesideOthers => Sentence::new(
                "CORS-E121",
                "`*` allows every origin, and must stand alone",
                "remove it, or every other origin and regex",
            )
            .with_edit(Proposal::Remove),
            Self::AnyTrusted(value) => Sentence::new(
                "CORS-E122",
                format!("{} would trust every site, and nothing would be rejected", Quoted(value)),
                "name the origins, or write `disallowedRequests: Forward`",
            )
            .with_edit(Proposal::Remove),
            Self::AnyAppTrusted(value) => Sentence::new(
                "CORS-E136",
                format!(
                    "{} would trust every extension or application of that scheme",
                    Quoted(value)
                ),
                "name the origins, or write `disallowedRequests: Forward`",
            )
            .with_edit(Proposal::Remove),
            Self::NullTrusted => Sentence::new(
                "CORS-E123",
                "any site can send `null`, by way of a sandboxed frame, so it cannot be trusted",
                "remove it, or write `disallowedRequests: Forward` for the path that needs it",
            )
            .with_edit(Proposal::Remove),
            Self::Nobody => Sentence::new(
                "CORS-W101",
                "without an origin or a regex no page of another origin may read the responses",
                "list the origins of your front ends in `allowOrigins`, or leave a path to its own CORS by a rule with `mode: \"Off\"`",
            ),
            Self::NobodyHere => Sentence::new(
                "CORS-I104",
                "the rule allows no origin, so that no page of another origin may read the responses under its path",
                "list origins in `allowOrigins` if pages are to read them, or leave the path to its own CORS by `mode: \"Off\"` in place of `cors`",
            ),
            Self::Null => Sentence::new(
                "CORS-W102",
                "any site can send `null`, by way of a sandboxed frame",
                "name the real origin, unless everybody may read the responses",
            ),
            Self::File(value) => local_file(value),
            Self::NeverSent(value) => never_sent(value),
            Self::Covered { value, by } => Sentence::new(
                "CORS-I101",
                format!("{} is already accepted by {}", Quoted(value), Quoted(by)),
                "remove one of them",
            )
            .with_edit(Proposal::Remove),
            Self::LocalhostAlone { value, missing } => Sentence::new(
                "CORS-I102",
                format!("{} and {} are two origins", Quoted(value), Quoted(missing)),
                format!("add {} if developers open that too", Quoted(missing)),
            )
            .with_edit(Proposal::Spread(vec![value.clone(), missing.clone()])),
            Self::Development(value) => development(value),
        }
    }
}

fn local_file(value: &str) -> Sentence {
    Sentence::new(
        "CORS-W103",
        format!("{} is every local file, in the few embedded browsers that send it", Quoted(value)),
        "serve the page over http or a scheme of the application's own",
    )
}

fn development(value: &str) -> Sentence {
    Sentence::new(
        "CORS-I103",
        format!("{} with credentials is any program on that port of the user's own machine", Quoted(value)),
        "remove it in production, unless an application on the user's machine serves its pages there",
    )
    .with_edit(Proposal::Remove)
}

fn never_sent(value: &str) -> Sentence {
    let (scheme, rest) = value.split_once("://").unwrap_or((value, ""));
    let scheme = scheme.to_ascii_lowercase();
    let matter = match scheme.as_str() {
        "ws" | "wss" => {
            "is sent by some native clients and by no browser, because `Origin` names the page and not the connection"
        }
        "ftp" => "is sent by no current browser, because none loads pages over FTP",
        "data" => "never matches, because browsers send `null` for such a page",
        _ => "never matches, because such a page has the origin of the page that made it",
    };
    let matter = format!("{} {matter}", Quoted(value));
    let page = match scheme.as_str() {
        "ws" => Some(format!("http://{rest}")),
        "wss" | "ftp" => Some(format!("https://{rest}")),
        _ => None,
    };
    let (fix, edit) = match page {
        Some(page) => (
            format!("write the origin of the page, such as {}", Quoted(&page)),
            Proposal::Write(Place::Here, Written::Text(page)),
        ),
        None => ("remove it".to_owned(), Proposal::Remove),
    };
    Sentence::new("CORS-W104", matter, fix).with_edit(edit)
}

/// An entry that does not parse: the code and the matter by its reason, the fix by what was probably meant.
fn invalid(value: &str, why: &InvalidOrigin, instead: &[String]) -> Sentence {
    let matter = match why {
        InvalidOrigin::Empty => "the entry is empty".to_owned(),
        InvalidOrigin::HostCharacter(c) => {
            format!("{} has {} in its host", Quoted(value), Quoted(c.encode_utf8(&mut [0; 4])))
        }
        InvalidOrigin::CidrHostBits(block) => {
            format!(
                "{} has bits set in its address after the first {}, and a block of addresses has none",
                Quoted(value),
                block.prefix()
            )
        }
        other => format!("{} {}", Quoted(value), matter(other)),
    };
    match instead {
        _ if is_template(value) => Sentence::new(code(why), matter, TEMPLATE),
        _ if is_regex(value) => Sentence::new(code(why), matter, REGEX),
        [instead] => Sentence::write(code(why), matter, Written::text(instead.as_str())),
        [] if is_placeholder(value) => Sentence::new(code(why), matter, PLACEHOLDER),
        [] => Sentence::new(code(why), matter, fix(why)),
        several => {
            let names: Names = several.iter().collect();
            Sentence::new(code(why), matter, format!("write one entry for each: {names}"))
                .with_edit(Proposal::Spread(several.to_vec()))
        }
    }
}

/// What to write where a regex was written.
const REGEX: &str =
    "write regexes into `allowOriginRegexes`, or a pattern such as `https://*.app.example`";

/// What to write where a variable was written.
const TEMPLATE: &str = "write the origin itself, because nothing replaces variables in a policy";

/// What to write where a program wrote that it has no value.
const PLACEHOLDER: &str =
    "write an origin such as `https://app.example`, or remove the entry where no origin is meant";

/// Whether it was meant as a regex: no origin has any of these.
fn is_regex(value: &str) -> bool {
    value.contains(['^', '$', '(', '|'])
        || ["\\.", "\\d", "\\w", "://.*", ".+", "[a-z", "[0-9", "[^"]
            .iter()
            .any(|part| value.contains(part))
}

/// Whether it has a variable of a shell, of Helm or of a program in it.
fn is_template(value: &str) -> bool {
    ["${", "{{", "$(", "%("].iter().any(|part| value.contains(part))
}

/// Whether it is the word of a program for a value that is absent.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let word = value.to_ascii_lowercase();
    ["undefined", "none", "nil", "nan", "false", "true"].contains(&word.as_str())
}

fn code(why: &InvalidOrigin) -> &'static str {
    match why {
        InvalidOrigin::Empty => "CORS-E101",
        InvalidOrigin::Space => "CORS-E102",
        InvalidOrigin::NoScheme => "CORS-E103",
        InvalidOrigin::Scheme => "CORS-E104",
        InvalidOrigin::Userinfo => "CORS-E105",
        InvalidOrigin::TrailingSlash => "CORS-E106",
        InvalidOrigin::Path => "CORS-E107",
        InvalidOrigin::Query => "CORS-E108",
        InvalidOrigin::Fragment => "CORS-E109",
        InvalidOrigin::NoHost => "CORS-E110",
        InvalidOrigin::HostTooLong => "CORS-E111",
        InvalidOrigin::NonAscii(_) => "CORS-E112",
        InvalidOrigin::TrailingDot => "CORS-E113",
        InvalidOrigin::EmptyLabel => "CORS-E114",
        InvalidOrigin::HostCharacter(_) => "CORS-E115",
        InvalidOrigin::Ipv4 => "CORS-E116",
        InvalidOrigin::Ipv6 => "CORS-E117",
        InvalidOrigin::Star => "CORS-E118",
        InvalidOrigin::Ipv4Star => "CORS-E119",
        InvalidOrigin::Port => "CORS-E120",
        InvalidOrigin::CidrHostBits(_) => "CORS-E132",
        InvalidOrigin::CidrPrefix => "CORS-E133",
        InvalidOrigin::CidrStar => "CORS-E134",
        InvalidOrigin::CidrName => "CORS-E135",
    }
}

/// What is the matter with the entry, after its name.
fn matter(why: &InvalidOrigin) -> &'static str {
    match why {
        InvalidOrigin::Empty => "is empty",
        InvalidOrigin::Space => "has white space or a control character in it",
        InvalidOrigin::NoScheme => "has no scheme",
        InvalidOrigin::Scheme => "has an invalid scheme",
        InvalidOrigin::Userinfo => "has a user in it, and an origin has none",
        InvalidOrigin::TrailingSlash => "ends in a slash, and an origin does not",
        InvalidOrigin::Path => "has a path, and an origin has none",
        InvalidOrigin::Query => "has a query, and an origin has none",
        InvalidOrigin::Fragment => "has a fragment, and an origin has none",
        InvalidOrigin::NoHost => "has no host",
        InvalidOrigin::HostTooLong => {
            "has a host of more than 253 characters, or a `*` in a label of more than 63"
        }
        InvalidOrigin::NonAscii(_) => "has a host beyond ASCII, which browsers send as punycode",
        InvalidOrigin::TrailingDot => "has a host that ends in a dot, which is another host",
        InvalidOrigin::EmptyLabel => "has an empty label in its host",
        InvalidOrigin::HostCharacter(_) => "has a character that no host has",
        InvalidOrigin::Ipv4 => "has a host that ends in a number and is no IPv4 address",
        InvalidOrigin::Ipv6 => "has an invalid IPv6 address",
        InvalidOrigin::Star => "has more than one `*` in its host, or one outside the first label",
        InvalidOrigin::Ipv4Star => "has a `*` that is no whole octet at the right end",
        InvalidOrigin::CidrHostBits(_) => "has bits set after its prefix",
        InvalidOrigin::CidrPrefix => {
            "has a prefix length that is not between 0 and 32 (IPv6: 128), or has leading zeros"
        }
        InvalidOrigin::CidrStar => "has a `*` and a prefix length, which say the same in two ways",
        InvalidOrigin::CidrName => "has a prefix length after a name, and only addresses have one",
        InvalidOrigin::Port => "has a port that is not between 1 and 65535, or has leading zeros",
    }
}

/// What to write, where nothing better can be guessed from the entry.
fn fix(why: &InvalidOrigin) -> &'static str {
    match why {
        InvalidOrigin::Empty | InvalidOrigin::NoHost => {
            "write an origin such as `https://app.example`"
        }
        InvalidOrigin::Space => "write one origin per entry, without white space",
        InvalidOrigin::NoScheme => "write it with its scheme, such as `https://app.example`",
        InvalidOrigin::Scheme => "write `https://` or another scheme, and one entry for each",
        InvalidOrigin::Userinfo
        | InvalidOrigin::TrailingSlash
        | InvalidOrigin::Path
        | InvalidOrigin::Query
        | InvalidOrigin::Fragment => "write only scheme, host and port",
        InvalidOrigin::HostTooLong => "write a host that DNS can hold",
        InvalidOrigin::NonAscii(_) => "write the host in its `xn--` form",
        InvalidOrigin::TrailingDot => "write it without the dot",
        InvalidOrigin::EmptyLabel => "write at least one character between two dots",
        InvalidOrigin::HostCharacter(_) => {
            "use `a-z`, `0-9`, `-`, `_` and `.`, one origin per entry"
        }
        InvalidOrigin::Ipv4 => "write four numbers from 0 to 255 without leading zeros",
        InvalidOrigin::Ipv6 => "write it in brackets, such as `http://[::1]:3000`",
        InvalidOrigin::Star => "write `https://*.app.example`, or one entry for each host",
        InvalidOrigin::Ipv4Star => "write all four octets, such as `http://192.168.1.*`",
        InvalidOrigin::CidrHostBits(_) | InvalidOrigin::CidrPrefix => {
            "write the first address of the block and its prefix length, such as `http://172.16.0.0/12:*`"
        }
        InvalidOrigin::CidrStar => "write `http://192.168.0.0/16:*` or `http://192.168.*.*:*`",
        InvalidOrigin::CidrName => {
            "write an address before the prefix length, such as `http://10.0.0.0/8:*`, or a name without one"
        }
        InvalidOrigin::Port => "write a port such as `:8443`, or `:*` for any",
    }
}
