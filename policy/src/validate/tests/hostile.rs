//! Hostile texts: no panic, and every sentence stays on its line.

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

/// Every text of up to two pieces, and those of one piece within a second.
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

/// Codes of a policy that has a rule with credentials for each list of regexes.
fn codes_of_regexes(lists: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let rules = lists.enumerate().map(|(at, allow_origin_regexes)| {
        let cors =
            CorsDraft { allow_origins: Vec::new(), allow_origin_regexes, ..with_credentials() };
        rule(&format!("/{at}"), Some(cors))
    });
    codes(&Draft { rules: rules.collect(), ..Draft::default() })
}

#[test]
fn the_regexes_of_a_policy_share_what_their_analysis_may_take() {
    let all = codes_of_regexes((0..6).map(|at| vec![format!("costly{at}")]));
    let field = |at: usize| format!("spec.rules[{at}].cors.allowOriginRegexes[0] CORS-E209");
    assert_eq!(all, [field(4), field(5)], "a quarter each");
    let equal = codes_of_regexes((0..6).map(|_| vec!["costly".to_owned()]));
    assert_eq!(equal, Vec::<String>::new(), "each text once");
}

#[test]
fn regexes_that_are_refused_as_a_list_are_not_analyzed() {
    let dangerous = |at: usize| if at == 0 { "any".to_owned() } else { format!("costly{at}") };
    let many = (0..=MAX_REGEXES).map(dangerous).collect();
    let large = |at: usize| if at == 0 { "any".to_owned() } else { ".*".repeat(100 - at) };
    let large = (0..MAX_REGEXES).map(large).collect();
    let last = vec!["costly".to_owned()];
    let all = codes_of_regexes([many, large, last].into_iter());
    let field = |at: usize| format!("spec.rules[{at}].cors.allowOriginRegexes");
    assert_eq!(all, [field(0) + " CORS-E004", field(1) + " CORS-E127"]);
}
