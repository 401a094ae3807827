//! Reasons about origins as patterns.

use super::language::Language;
use super::list::entries;
use super::origin_fault;
use super::quoted::Quoted;
use super::{Danger, Explain, Proposal, Sentence};
use crate::pattern::{InvalidOrigin, OriginPattern};

/// Reasons about an entry of `allowOrigins` or `trustedOrigins`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginReason {
    /// Not an origin.
    Invalid {
        /// The entry as written.
        value: String,
        /// The reason.
        why: InvalidOrigin,
        /// The fix.
        instead: Box<Instead>,
    },
    /// `*` beside other origins or a regex.
    AnyBesideOthers,
    /// `*`, or any host of http or https, among the trusted origins.
    AnyTrusted(String),
    /// Any host of a different scheme among the trusted origins.
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
    NeverSent {
        /// The entry.
        value: String,
        /// The scheme.
        scheme: String,
        /// The origin of the page that was probably meant.
        instead: Box<Instead>,
    },
    /// A misspelled `http` or `https`.
    Misspelled {
        /// The entry.
        value: String,
        /// The fix.
        instead: Box<Instead>,
    },
    /// A host in the form of an address, with a placeholder or a range in place of a number.
    NoAddress {
        /// The entry.
        value: String,
        /// The fix.
        instead: Box<Instead>,
    },
    /// An extension of Chromium by what is no id.
    NoExtension(String),
    /// An extension whose ID differs in each browser.
    OneInstallation(String),
    /// An entry whose origins a second one accepts as well.
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

/// The probably intended entries in place of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instead {
    /// Those that are accepted: one, or several.
    pub entries: Vec<String>,
    /// One without TLS, which is accepted once its danger is listed.
    pub insecure: Option<String>,
    /// Whether one is refused, such as `*` with credentials.
    pub is_refused: bool,
    /// A pattern to show where nothing tells which entries are meant.
    pub example: Option<String>,
}

// === impl OriginReason ===

impl Explain for OriginReason {
    fn sentence(&self) -> Sentence {
        match self {
            Self::Invalid { value, why, instead } => invalid(value, why, instead),
            Self::AnyBesideOthers => Sentence::new(
                "CORS-E121",
                "`*` allows every origin, and must stand alone",
                "remove it, or every other origin and regex",
            )
            .with_edit(Proposal::Remove),
            Self::AnyTrusted(value) => any_trusted(value),
            Self::AnyAppTrusted(value) => any_app_trusted(value),
            Self::NullTrusted => Sentence::new(
                "CORS-E123",
                "any site can send `null`, by way of a sandboxed frame, so it cannot be trusted",
                "remove it, or write `disallowedRequests: Forward` for the path that needs it",
            )
            .with_edit(Proposal::Remove),
            Self::Nobody => Sentence::new(
                "CORS-W101",
                "without an origin or a regex no page of a foreign origin may read the responses",
                "list the origins of your front ends in `allowOrigins`, or leave a path to its own CORS by a rule with `mode: \"Off\"`",
            ),
            Self::NobodyHere => nobody_here(),
            Self::Null => Sentence::new(
                "CORS-W102",
                "any site can send `null`, by way of a sandboxed frame",
                "name the real origin, unless every site may read the responses",
            ),
            Self::File(value) => local_file(value),
            Self::NeverSent { value, scheme, instead } => never_sent(value, scheme, instead),
            Self::Misspelled { value, instead } => misspelled(value, instead),
            Self::NoExtension(value) => no_extension(value),
            Self::NoAddress { value, instead } => no_address(value, instead),
            Self::OneInstallation(value) => one_installation(value),
            Self::Covered { value, by } => Sentence::new(
                "CORS-I101",
                format!("{} is already accepted by {}", Quoted(value), Quoted(by)),
                "remove one of them",
            )
            .with_edit(Proposal::Remove),
            Self::LocalhostAlone { value, missing } => localhost_alone(value, missing),
            Self::Development(value) => development(value),
        }
    }
}

fn any_trusted(value: &str) -> Sentence {
    Sentence::new(
        "CORS-E122",
        format!(
            "{} would trust {}, and nothing would be rejected",
            Quoted(value),
            every_site(value)
        ),
        "name the origins, or write `disallowedRequests: Forward`",
    )
    .with_edit(Proposal::Remove)
}

fn any_app_trusted(value: &str) -> Sentence {
    Sentence::new(
        "CORS-E136",
        format!("{} would trust extensions or applications of any author", Quoted(value)),
        "name the origins, or write `disallowedRequests: Forward`",
    )
    .with_edit(Proposal::Remove)
}

fn nobody_here() -> Sentence {
    Sentence::new(
        "CORS-I104",
        "the rule allows no origin, so that no page of a foreign origin may read the responses under its path",
        "list origins in `allowOrigins` if pages are to read them, or leave the path to its own CORS by `mode: \"Off\"` in place of `cors`",
    )
}

fn localhost_alone(value: &str, missing: &str) -> Sentence {
    Sentence::new(
        "CORS-I102",
        format!("{} and {} are two origins", Quoted(value), Quoted(missing)),
        format!("add {} if developers open that too", Quoted(missing)),
    )
    .with_edit(Proposal::Spread(vec![value.to_owned(), missing.to_owned()]))
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

fn never_sent(value: &str, scheme: &str, instead: &Instead) -> Sentence {
    let matter = match scheme {
        "ws" | "wss" => {
            "is sent by some native clients and by no browser, because `Origin` names the page and not the connection"
        }
        "ftp" => "is sent by no current browser, because none loads pages over FTP",
        "data" => "never matches, because browsers send `null` for such a page",
        _ => "never matches, because such a page has the origin of the page that made it",
    };
    let matter = format!("{} {matter}", Quoted(value));
    let has_page = *instead != Instead::default();
    let otherwise = if has_page { "name the origin of the page" } else { "remove it" };
    let sentence = write("CORS-W104", matter, instead, otherwise);
    if has_page { sentence } else { sentence.with_edit(Proposal::Remove) }
}

fn misspelled(value: &str, instead: &Instead) -> Sentence {
    let scheme = value.split("://").next().unwrap_or(value);
    let matter = format!(
        "{} has the misspelled scheme {}, which no page has",
        Quoted(value),
        Quoted(scheme)
    );
    write("CORS-W113", matter, instead, "name the origins, with `https://`")
}

fn no_address(value: &str, instead: &Instead) -> Sentence {
    let matter = format!("{} has a host that is no address, and no page has it", Quoted(value));
    let otherwise = "write one entry for each address, or a block such as `http://192.168.1.0/24`";
    write("CORS-W114", matter, instead, otherwise)
}

fn no_extension(value: &str) -> Sentence {
    Sentence::new(
        "CORS-I105",
        format!("{} names no extension", Quoted(value)),
        "name the extension by its ID, 32 letters from `a` to `p`, which is the same in each browser",
    )
}

fn one_installation(value: &str) -> Sentence {
    Sentence::new(
        "CORS-I106",
        format!(
            "{} is an extension in one browser only, because each installation has an ID of its own",
            Quoted(value)
        ),
        "list the host of the API in `host_permissions` of the extension, whose requests need no CORS then",
    )
}

/// The pages of an entry that has no end of them.
pub(super) fn every_site(value: &str) -> &'static str {
    let is_block = matches!(
        OriginPattern::read(value),
        Ok(OriginPattern::Tuple(tuple)) if tuple.host().block().is_some()
    );
    if is_block { "every address of the block" } else { "every site" }
}

/// A sentence whose fix is to write what was probably meant.
fn write(code: &'static str, matter: String, instead: &Instead, otherwise: &str) -> Sentence {
    let sentence = entries(code, matter, &instead.entries, otherwise);
    match &instead.insecure {
        None => sentence,
        Some(entry) => sentence.and(&format!(
            ", or write {} and list `{}` in `dangerouslyAllow`",
            Quoted(entry),
            Danger::InsecureOriginWithCredentials.word()
        )),
    }
}

/// An entry that does not parse: the code and the matter by its reason, the fix by what was probably meant.
fn invalid(value: &str, why: &InvalidOrigin, instead: &Instead) -> Sentence {
    let fault = origin_fault::of(value, why);
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
        other => {
            let matter = fault.map_or_else(|| matter(other), |(matter, _)| matter);
            format!("{} {matter}", Quoted(value))
        }
    };
    let otherwise = match Language::of(value) {
        Some(language) => language.fix(),
        None if instead.insecure.is_some() || instead.is_refused => "name the origins",
        None => fault.map_or_else(|| fix(why), |(_, fix)| fix),
    };
    let example = instead.example.as_ref();
    let example = example.map(|it| format!("write {}, or one entry for each host", Quoted(it)));
    write(code(why), matter, instead, example.as_deref().unwrap_or(otherwise))
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

/// The fault of the entry, after its name.
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
        InvalidOrigin::TrailingDot => "has a host that ends in a dot, which is a different host",
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

/// The fix, if the entry allows no better guess.
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
