//! Texts that nobody writes on purpose: no panic, and every sentence stays on its line.

use super::*;

/// Pieces that mean something somewhere.
const PIECES: [&str; 48] = [
    "https",
    "http",
    "file",
    "://",
    "*",
    ".",
    "a",
    "example",
    "com",
    "localhost",
    "[::1]",
    "[",
    "]",
    "127.0.0.1",
    "0x1",
    "256",
    ":",
    ":443",
    ":*",
    "/",
    "\\",
    "?",
    "#",
    "@",
    ",",
    "\u{e9}",
    "\u{202e}",
    " ",
    "\n",
    "\0",
    "`",
    "-",
    "_",
    "null",
    "xn--",
    "(",
    "|",
    ")",
    "+",
    "\\.",
    "[a-z]",
    "{9}",
    "^",
    "(?x)#",
    "GET",
    "put",
    "%2f",
    "Cookie",
];

/// Every text of up to two pieces, and those of a piece around another.
fn texts() -> Vec<String> {
    let pairs = PIECES.iter().flat_map(|a| PIECES.map(|b| format!("{a}{b}")));
    let origins = PIECES.iter().flat_map(|a| PIECES.map(|b| format!("https://{a}{b}")));
    let around = PIECES.iter().flat_map(|a| PIECES.map(|b| format!("{b}a{a}b{b}")));
    let long = PIECES.iter().map(|piece| piece.repeat(5_000));
    pairs.chain(origins).chain(around).chain(long).chain([String::new()]).collect()
}

#[test]
fn no_text_makes_validation_panic_or_a_sentence_break_its_line() {
    let all = texts();
    let mut read = 0_usize;
    for list in all.chunks(100) {
        let list = list.to_vec();
        let cors = CorsDraft {
            allow_origins: list.clone(),
            allow_origin_regexes: list.clone(),
            allow_methods: list.clone(),
            allow_headers: list.clone(),
            expose_headers: list.clone(),
            allow_credentials: list.len() % 2 == 0,
            max_age: i64::try_from(list.len()).ok(),
            dangerously_allow: list.clone(),
        };
        let rules = list.iter().map(|path| rule(&format!("/{path}"), None)).collect();
        let draft = Draft {
            id: PolicyId { namespace: list[0].clone(), name: list[list.len() - 1].clone() },
            hostnames: list.clone(),
            trusted_origins: list,
            disallowed_requests: DisallowedRequests::Reject,
            rules,
            ..policy_of(cors)
        };
        for finding in validate(&draft, &SmallJudge).findings {
            let text = finding.to_string();
            let breaks = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!text.contains(breaks), "{text:?}");
            assert_eq!(text.matches('`').count() % 2, 0, "{text:?}");
            assert!(text.len() < 1_500, "{text:?}");
        }
        let id = PolicyId { namespace: "shop".to_owned(), name: "api".to_owned() };
        if let Some(policy) = validate_accepted(&Draft { id, ..draft }, &SmallJudge).policy {
            accepted::assert_a_filter_reads(&policy);
            read = read.saturating_add(1);
        }
    }
    assert!(read > 10, "only {read} policies were left of them");
}
