//! The findings about a regex, without credentials and with them, and whether they are true.

use corsward_policy::Finding;
use corsward_policy::finding::{RegexReason, Replacement, Severity};

use super::*;

/// `why`, the regex, the codes without credentials, and those with.
type Row = (&'static str, &'static str, &'static str, &'static str);

const BOUNDED: &[Row] = &[
    ("one label", r"https://[a-z]+\.app\.example", "", ""),
    ("any depth", r"https://.*\.app\.example", "", ""),
    ("itself and below", r"https://(.*\.)?app\.example", "", ""),
    ("labels in a loop", r"https://([a-z0-9-]+\.)*app\.example", "", ""),
    ("with a port", r"https://[a-z]+\.app\.example:8443", "", ""),
    ("any port", r"https://app\.example:\d+", "", ""),
    ("perhaps a port", r"https://app\.example(:8443)?", "", ""),
    ("perhaps any port", r"https://app\.example(?::\d{1,5})?", "", ""),
    ("anchors say nothing new", r"^https://[a-z]+\.app\.example$", "", ""),
    ("within a group", r"(https://[a-z]+\.app\.example)", "", ""),
    ("groups around its parts", r"(https)://([a-z]+)(\.app\.example)", "", ""),
    ("an alternation inside", r"https://(a|b)\.app\.example", "", ""),
    ("of domains", r"https://(app\.example|shop\.test)", "", ""),
    ("of top levels", r"https://.*\.myshop\.(com|org|co\.uk)", "", ""),
    ("at the top", r"https://a\.example|https://b\.example", "", ""),
    ("in a group between anchors", r"^(?:https://a\.example|https://.*\.b\.example)$", "", ""),
    ("a listed suffix, one's own below", r"https://\w+\.me\.github\.io", "", ""),
    ("a few names below a listed suffix", r"https://(foo|bar)\.vercel\.app", "", ""),
    ("a numbered name", r"https://app\d\.vercel\.app", "", ""),
    ("a whole literal host", r"https://app\.example", "", ""),
    ("a listed suffix itself", r"https://github\.io", "", ""),
    ("a literal address", r"https://192\.168\.1\.7:3000", "", ""),
    ("a range of addresses", r"https://192\.168\.1\.\d+", "", ""),
    ("a literal IPv6 address", r"https://\[2001:db8::1\]", "", ""),
    ("unlisted top level", r"https://[a-z]+\.internal", "", ""),
    ("another scheme", r"tauri://localhost", "", ""),
    ("hosts of another scheme are not registered", r"myapp://[a-z]+\.com", "", ""),
    ("below a host of another scheme", r"myapp://[a-z]+\.app\.example", "", ""),
    ("one label above a suffix two below", r"https://[a-z0-9-]+\.amazonaws\.com", "", ""),
    ("case folded", r"(?i)https://[a-z]+\.App\.example", "", ""),
    ("case folded, whole", r"(?i)https://app\.example", "", ""),
    ("an optional slash", r"https://app\.example/?", "", ""),
    ("dots in classes", r"https://[^.]+[.]app[.]example", "", ""),
    ("escaped slashes", r"https:\/\/app\.example", "", ""),
    ("hyphens", r"https://app--[a-z0-9]+\.shop\.example", "", ""),
    ("a trailing dot", r"https://[a-z]+\.app\.example\.?", "", ""),
    ("an optional scheme is none", r"(https://)?app\.example", "", ""),
    ("labels that exclude each other's length", r"https://[a-z]{1,63}\.app\.example", "", ""),
    ("a pull request's number", r"https://pr-[0-9]+\.preview\.app\.example", "", ""),
    ("a word boundary", r"https://\bapp\.example\b", "", ""),
    ("a lazy star", r"https://.*?\.app\.example", "", ""),
    ("a named group", r"https://(?P<tenant>[a-z]+)\.app\.example", "", ""),
];

const LOOPBACK: &[Row] = &[
    ("http on this machine", r"http://localhost:3000", "", "I103"),
    ("any port", r"http://localhost:\d+", "", "I103"),
    ("perhaps any port", r"http://localhost(:\d+)?", "", "I103"),
    ("below localhost", r"http://[a-z]+\.localhost:3000", "", "I103"),
    ("a loopback address", r"http://127\.0\.0\.1:3000", "", "I103"),
    ("any of them", r"http://127\.\d+\.\d+\.\d+", "", "I103"),
    ("the IPv6 loopback", r"http://\[::1\]:3000", "", "I103"),
    ("two of them", r"http://(localhost|127\.0\.0\.1):\d+", "", "I103"),
    ("all of them", r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?", "", "I103"),
    ("either scheme", r"https?://localhost(:\d+)?", "", "I103"),
    ("case folded", r"(?i)http://LOCALHOST", "", "I103"),
    ("beside another host with TLS", r"http://localhost|https://app\.example", "", "I103"),
];

const INSECURE: &[Row] = &[
    ("http", r"http://[a-z]+\.app\.example", "", "E203"),
    ("whole", r"http://app\.example", "", "E203"),
    ("two schemes", r"https?://[a-z]+\.app\.example", "", "E203"),
    ("two schemes, spelled out", r"(http|https)://app\.example", "", "E203"),
    ("an address", r"http://192\.168\.1\.\d+", "", "E203"),
    ("a neighbour of loopback", r"http://128\.0\.0\.1", "", "E203"),
    ("a neighbour of localhost", r"http://[a-z]*localhost", "", "E203 E206"),
    ("one branch of two", r"https://a\.example|http://b\.example", "", "E203"),
    ("beside loopback", r"http://(localhost|app\.example)", "", "E203"),
    ("another IPv6 address", r"http://\[::2\]", "", "E203"),
    ("a domain that begins as localhost", r"http://localhost\.app\.example", "", "E203"),
];

const PUBLIC: &[Row] = &[
    ("a private suffix", r"https://[a-z-]+\.vercel\.app", "W202", "E204"),
    ("any depth", r"https://.*\.vercel\.app", "W202", "E204"),
    ("a top-level domain", r"https://[a-z]+\.com", "W202", "E204"),
    ("a second-level one", r"https://.*\.co\.uk", "W202", "E204"),
    ("above one", r"https://.*\.amazonaws\.com", "W202", "E204"),
    ("a wildcard rule", r"https://[a-z]+\.ck", "W202", "E204"),
    ("no dot before the domain", r"https://.*app\.com", "W202", "E204"),
    ("glued to a domain", r"https://[a-z]+example\.com", "W202", "E204"),
    ("an own prefix", r"https://pr-[a-z0-9]+--app\.vercel\.app", "W202", "E204"),
    ("one of two", r"https://[a-z]+\.(app\.example|github\.io)", "W202", "E204"),
    ("without TLS", r"http://[a-z]+\.github\.io", "W202", "E203 E204"),
    ("either scheme", r"https?://[a-z]+\.github\.io", "W202", "E203 E204"),
    ("case folded", r"(?i)https://[a-z]+\.github\.io", "W202", "E204"),
    ("punycode", r"https://[a-z]+\.xn--p1ai", "W202", "E204"),
    ("an optional dot", r"https://app.?example\.com", "W202", "E204"),
    ("a dot, counted", r"https://app.{1}example\.com", "W202", "E204"),
    ("a negated class in the domain", r"https://app[^/]example\.com", "W202", "E204"),
    ("a negated class before it", r"https://[^/]example\.com", "W202", "E204"),
    ("a letter before it", r"https://[a-z]example\.com", "W202", "E204"),
    ("an optional dot at the end", r"https://app\.example\.co.?", "W202", "E204"),
    ("any name of one letter", r"https://[a-z]\.github\.io", "W202", "E204"),
];

const OPEN: &[Row] = &[
    ("https only", r"https://.*", "", "E202"),
    ("https, any port", r"https://[^/]+", "", "E202"),
    ("https, by its characters", r"https://[a-z0-9.-]+(:\d+)?", "", "E202"),
    ("http only", r"http://.*", "", "E202 E203"),
    ("any address", r"https://\d+\.\d+\.\d+\.\d+", "", "E202"),
    ("any address without TLS", r"http://[0-9.]+", "", "E202 E203"),
    ("any IPv6 address", r"https://\[[0-9a-f:]+\]", "", "E202"),
    ("any text in brackets", r"https://\[.+\]", "", "E202"),
    ("no dot", r"https://[^.]+", "", "E202 E206"),
    ("all", ".*", "W105", "E202"),
    ("all but empty", ".+", "W105", "E202"),
    ("all, anchored", "^.*$", "W105", "E202"),
    ("all of the web", r"https?://.*", "W105", "E202"),
    ("all with a host", r"https?://[^/]+", "W105", "E202"),
    ("all, spelled out", r"https?://[\w.-]+(:\d+)?", "W105", "E202"),
    ("an open end", r"https://app\.example.*", "W202", "E206"),
    ("behind a registrable domain", r"https://app\.example\.com.*", "W202", "E206"),
    ("behind the machine's own", r"https://localhost.*", "W202", "E206"),
    ("any top level", r"https://app\.[a-z]+", "W202", "E206"),
    ("any host of one label", r"https://[a-z]+", "", "E206"),
    ("any domain with a name in it", r"https://.*app.*", "W202", "E206"),
    ("one of two branches", r"https://a\.example|https://b\..*", "W202", "E206"),
    ("any scheme", r".*://app\.example", "", "E203 E208"),
    ("a scheme of letters", r"[a-z]+://app\.example", "", "E203 E208"),
    ("any scheme, any host", r"\w+://\w+", "", "E203 E206 E208 E213"),
    ("any extension", r"chrome-extension://[a-p]{32}", "", "E213"),
    ("any host of another scheme", r"app://.*", "", "E213"),
];

const DOTS: &[Row] = &[
    ("in the domain", r"https://app.example", "W109", "E207"),
    ("two of them", r"https://app.example.com", "W109", "E207"),
    ("before the domain", r"https://[a-z]+.app\.com", "W109", "E207"),
    ("in the domain's middle", r"https://[a-z]+\.app.example", "W109", "E207"),
    ("before a public suffix", r"https://[a-z]+.vercel\.app", "W109 W202", "E204 E207"),
    ("in an address", r"https://192.168.1.7", "W109", "E207"),
    ("on this machine", r"http://127.0.0.1:\d+", "W109", "E207 I103"),
    ("without TLS", r"http://app.example", "W109", "E203 E207"),
    ("in a group", r"https://(a.b|c)\.example", "W109", "E207"),
    ("in a repeated group", r"https://([a-z]+.)*app\.example", "W109", "E207"),
    ("in one branch", r"https://a\.example|https://b.example", "W109", "E207"),
    ("before a port", r"https://app\.example.8443", "W109 W202", "E206 E207"),
];

const GLOBS: &[Row] = &[
    ("after the slashes", r"https://*.pages.dev", "W108 W202", "E204 E207 W108"),
    ("before a domain", r"https://*example.com", "W108", "E207 W108"),
    ("escaped dots", r"https://*\.app\.example", "W106", "W106"),
    ("a plus", r"https://+\.app\.example", "W106", "W106"),
    ("a plus, and a dot", r"https://+.app.example", "W108", "E207 W108"),
    ("a question mark", r"https://?.app.example", "W108", "E207 W108"),
    ("after a hyphen", r"https://pr-*\.app\.example", "W108", "W108"),
    ("after a dot", r"https://app\.*\.example", "W108", "W108"),
    ("a port", r"https://localhost:*", "W108", "W108"),
    ("escaped slashes", r"https:\/\/*.app.example", "W108", "E207 W108"),
    ("a letter", r"https://app*\.app\.example", "W108", "W108"),
    ("words in a class", r"https://[app|www]\.app\.example", "W115", "W115"),
    ("letters in a class", r"https://[a-z|0-9]+\.app\.example", "", ""),
    ("the dot before the end of the host", r"^https://app\.", "W106", "W106"),
    ("a range of ports", r"https://app\.example:8080-8090", "W106", "W106"),
    ("an exact match", "exact:https://app.example", "W106", "W106"),
];

const NEVER: &[Row] = &[
    ("capitals in the host", r"https://App\.example", "W106", "W106"),
    ("no scheme", r"([a-z]+)\.bar\.org", "W106", "W106"),
    ("too short", r".", "W106", "W106"),
    ("a default port", r"https://app\.example:443", "W106", "W106"),
    ("a path", r"^https://app\.example/.*$", "W106", "W106"),
    ("beyond ASCII", "https://b\u{fc}cher\\.example", "W106", "W106"),
    ("a literal star", r"https://\*\.app\.example", "W106", "W106"),
    ("PHP", r"#^https://.*\.app\.example$#i", "W106", "W106"),
    ("JavaScript", r"/^https:\/\/app\.example$/i", "W106", "W106"),
    ("a list", r"https://a\.example,https://b\.example", "W106", "W106"),
    ("one branch", r"https://a\.example|https://B\.example", "W107", "W107"),
    ("one branch, and http", r"http://a\.example|https://B\.example", "W107", "E203 W107"),
    ("the end of a path", r"https://a\.example(/|$)", "W107", "W107"),
];

/// Texts that no page sends, though they can be origins.
const UNSENT: &[Row] = &[
    ("sockets of native clients", r"wss://app\.example", "W104", "W104"),
    ("sockets with and without TLS", r"wss?://app\.example", "W104", "W104"),
    ("sockets without TLS", r"ws://app\.example", "W104", "W104"),
    ("downloads", r"ftp://app\.example", "W104", "W104"),
    ("data", r"data:.*", "W104", "E213 W104"),
    ("scripts and data", r"(javascript|data):.*", "W104", "E213 W104"),
    ("local files", r"file://.*", "W103", "E213 W103"),
    ("sockets beside a page", r"(wss|https)://app\.example", "", ""),
    ("the machine itself without its scheme", r"localhost.*", "W106", "E208 E213 W106"),
    ("its ports", r"localhost:.*", "W106", "E213 W106"),
    ("a domain without its scheme", r"example\.com.*", "W106", "E208 E213 W106"),
    ("a host without its scheme", r"www\..*", "W106", "E208 E213 W106"),
    ("one branch without its scheme", r"https://a\.example|localhost.*", "W107", "E208 E213 W107"),
    ("a scheme that is a domain", r"com\.example\.app.*", "", "E208 E213"),
    ("a scheme with a dot, spelled out", r"my\.app://[a-z]+\.b", "", ""),
    ("a scheme without `://`", r"capacitor.*", "", "E208 E213"),
    ("a domain with open dots", r"example.com.*", "W106", "E208 E213 W106"),
    ("an ID in capitals", r"chrome-extension://[A-P]{32}", "W106", "W106"),
    ("capitals of an extension", r"chrome-extension://[A-P]+", "W106", "W106"),
    ("the name of an extension", r"chrome-extension://my-extension", "W106", "W106"),
    ("an extension", r"chrome-extension://[a-z]{32}", "", "E213"),
];

/// Texts whose first repair would be no fix.
const UNREPAIRED: &[Row] = &[
    ("opaque origins beside another", r"null|https://a\.example", "W107", "W107"),
    ("the end of a host", r"\.example\.com$", "W106", "W106"),
    ("the end of a label", r"-app\.example$", "W106", "W106"),
    ("the end of many hosts", r"\.vercel\.app$", "W106", "W106"),
    ("a list in a text", r#"["*"]"#, "W106", "W106"),
    ("a list of one origin", r#"["https://a.example"]"#, "W106", "W106"),
    ("a part of any host", r"[^/]*x[^/]*", "W106", "W106"),
    ("any host of a domain", r"[^/]*\.app\.example", "W106", "W106"),
    ("a glob over schemes", r"http*", "W106", "W106"),
    ("an escape", r"\u{41}", "W106", "W106"),
    ("brackets around no address", r"http://\[::zz\]", "W106", "W106"),
];

const INVALID: &[Row] = &[
    ("a pattern", r"*.app.example", "E126", "E126"),
    ("a hyphen behind a class", r"https://[\w-_]+\.app\.example", "E126", "E126"),
    ("quotation", r"https://\Qapp.example\E", "E126", "E126"),
    ("Unicode classes", r"https://\p{L}+\.app\.example", "E126", "E126"),
    ("look-around", r"https://(?!evil)[a-z]+\.app\.example", "E126", "E126"),
    ("back references", r"https://([a-z])\1\.app\.example", "E126", "E126"),
    ("an atomic group", r"https://(?>[a-z]+)\.app\.example", "E126", "E126"),
    ("too large", r"(a{1000}){1000}", "E125", "E125"),
    ("empty", r"", "E124", "E124"),
];

fn rows() -> impl Iterator<Item = Row> {
    [BOUNDED, LOOPBACK, INSECURE, PUBLIC, OPEN, DOTS, GLOBS, NEVER, UNSENT, UNREPAIRED, INVALID]
        .concat()
        .into_iter()
}

fn findings(regex: &str, credentials: bool, dangers: &[&str]) -> Vec<Finding> {
    let cors = CorsDraft {
        allow_origin_regexes: vec![regex.to_owned()],
        allow_credentials: credentials,
        dangerously_allow: dangers.iter().map(|&word| word.to_owned()).collect(),
        ..CorsDraft::default()
    };
    let draft = Draft { cors: Some(cors), ..Draft::default() };
    let about = |finding: &Finding| {
        finding.field.contains("allowOriginRegexes") || finding.field.contains("dangerouslyAllow")
    };
    validate(&draft, &FullKnowledge).findings.into_iter().filter(about).collect()
}

fn codes(regex: &str, credentials: bool, dangers: &[&str]) -> Vec<String> {
    let mut codes: Vec<String> = findings(regex, credentials, dangers)
        .iter()
        .map(|finding| finding.code().trim_start_matches("CORS-").to_owned())
        .collect();
    codes.sort();
    codes
}

#[test]
fn each_cause_has_its_code() {
    assert!(rows().count() >= 120, "{}", rows().count());
    let mut wrong = Vec::new();
    for (why, regex, without, with) in rows() {
        for (credentials, want) in [(false, without), (true, with)] {
            let found = codes(regex, credentials, &[]).join(" ");
            if found != want {
                wrong.push(format!("{why}: {regex}, {credentials}: {found:?}, not {want:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_expression_for_addresses_is_not_called_one_for_sites() {
    for (regex, are_sites) in [
        (r"https://[^.]+", false),
        (r"https://\[.+\]", false),
        (r"https://\d+\.\d+\.\d+\.\d+", false),
        (r"https://[^/]+", true),
        (r"https?://.*", true),
    ] {
        let all = findings(regex, true, &[]);
        let any = all.iter().find(|finding| finding.code() == "CORS-E202").unwrap();
        assert_eq!(any.message().contains("every site"), are_sites, "{regex}: {any}");
    }
}

#[test]
fn a_fix_says_what_was_meant_and_opens_no_more_hosts() {
    for (regex, credentials, want) in [
        (
            r"null|https://a\.example",
            false,
            r"write `https://a\.example`, and `null` into `allowOrigins`",
        ),
        (r"null|https://a\.example", true, r"write `https://a\.example`"),
        (r"(self|https://a\.example)", true, r"write `(https://a\.example)`"),
        (r"\.example\.com$", true, "write `https://*.example.com` into `allowOrigins`"),
        (r"-app\.example$", true, "write `https://*-app.example` into `allowOrigins`"),
        (r"(^|\.)a\.example$", true, r"write `https://(.*\.)?a\.example$`"),
        (r"\.a\.example(:\d+)?$", true, r"write `https://.*\.a\.example(:\d+)?$`"),
        (r"\.a\.example.*", true, r"write `https://.*\.a\.example(:[0-9]+)?`"),
        (r"-a\.example.*", true, r"write `https://[a-z0-9-]+-a\.example(:[0-9]+)?`"),
        (
            r"localhost.*|127\.0\.0\.1.*",
            false,
            r"write `http://localhost(:[0-9]+)?|http://127\.0\.0\.1(:[0-9]+)?`",
        ),
        (r"a\.example|b\.example", true, r"write `https://a\.example|https://b\.example`"),
        (r"://a\.example", true, r"write `https://a\.example`"),
        (r"chrome-extension://[A-P]{32}", false, "write `chrome-extension://[a-p]{32}`"),
        (r"https://[A-Z]{9}\.a\.example", true, r"write `https://[a-z]{9}\.a\.example`"),
        (r#"["*"]"#, false, "write `*` into `allowOrigins`"),
        (r#"["https://a.example"]"#, true, "write `https://a.example` into `allowOrigins`"),
        (r"[^/]*\.app\.example", true, r"write `https://[^/]*\.app\.example`"),
        (r"localhost.*", true, r"write `http://localhost(:[0-9]+)?`"),
        (r"example\.com.*", true, r"write `https://example\.com(:[0-9]+)?`"),
        (r"wss?://app\.example", false, r"write `https?://app\.example`"),
        (r"wss?://app\.example", true, r"write `https://app\.example`"),
        (r"^ws://app\.example$", false, r"write `^http://app\.example$`"),
        (r"data:.*", false, "remove it"),
        (
            r"https://app*\.app\.example",
            true,
            "write `https://app*.app.example` into `allowOrigins`",
        ),
        (r"https://[app|www]\.app\.example", true, r"write `https://(app|www)\.app\.example`"),
        ("exact:https://app.example", true, "write `https://app.example` into `allowOrigins`"),
        (r"^https://app\.", true, "write the host to its end"),
        (
            r"https://app\.example:8080-8090",
            true,
            "write each port, such as `:(8080|8081)`, or `:[0-9]+` for any",
        ),
    ] {
        let all = findings(regex, credentials, &[]);
        let fix = all.iter().rfind(|one| one.severity() == Severity::Warning).unwrap().message();
        assert!(fix.ends_with(&format!(": {want}")), "{regex}: {fix}");
    }
    let every = findings("*", false, &[]);
    assert!(every[0].message().ends_with(": write `*` into `allowOrigins`"), "{every:?}");
    let example = r"such as `https://[a-z]+\.app\.example`";
    for regex in ["[^/]*x[^/]*", "http*", r"\u{41}", r"\x41", "http", r"www\..*"] {
        let all = findings(regex, false, &[]);
        assert!(all.iter().any(|one| one.message().ends_with(example)), "{regex}: {all:?}");
    }
}

/// The danger that a finding names.
fn danger_of(finding: &Finding) -> Option<&'static str> {
    let message = finding.message();
    let word = |danger: &Danger| message.contains(&format!("list `{}`", danger.word()));
    Danger::ALL.iter().find(|danger| word(danger)).map(|danger| danger.word())
}

#[test]
fn a_danger_opens_what_names_it_and_nothing_else() {
    for (why, regex, _, _) in rows() {
        let refusals: Vec<Finding> = findings(regex, true, &[])
            .into_iter()
            .filter(|finding| finding.code().starts_with("CORS-E2"))
            .collect();
        let words: Vec<&str> = refusals.iter().filter_map(danger_of).collect();
        assert_eq!(words.len(), refusals.len(), "{why}: a refusal names no danger");
        for word in &words {
            let left = codes(regex, true, &[word]);
            for refusal in &refusals {
                let code = refusal.code().trim_start_matches("CORS-").to_owned();
                let is_open = danger_of(refusal) == Some(word);
                assert_eq!(!left.contains(&code), is_open, "{why}: {regex}: {word}: {left:?}");
            }
        }
        let mut all = words.clone();
        all.sort_unstable();
        all.dedup();
        let left = codes(regex, true, &all);
        let is_left = |code: &&String| code.starts_with("E2") || *code == "W201";
        assert_eq!(left.iter().find(is_left), None, "{why}: {regex}: {all:?}");
    }
}

/// The text that a finding proposes.
fn proposal(finding: &Finding) -> Option<Replacement> {
    match finding.reason.downcast_ref()? {
        RegexReason::NeverMatches { misfit, .. }
        | RegexReason::BranchNeverMatches { misfit, .. } => misfit.instead.clone(),
        RegexReason::Syntax { instead, .. } => instead.clone(),
        RegexReason::Glob { pattern, .. } => pattern.clone().map(Replacement::Pattern),
        RegexReason::OpenDot { instead, .. }
        | RegexReason::OpenDotWithCredentials { instead, .. } => {
            instead.clone().map(Replacement::Regex)
        }
        _ => None,
    }
}

#[test]
fn what_a_finding_proposes_is_accepted_without_it() {
    let mut proposals = 0;
    let each = rows().flat_map(|row| [(row, false), (row, true)]);
    for ((why, regex, _, _), allow_credentials) in each {
        for finding in findings(regex, allow_credentials, &[]) {
            match proposal(&finding) {
                Some(Replacement::Regex(instead)) => {
                    let code = finding.code().trim_start_matches("CORS-").to_owned();
                    let left = codes(&instead, allow_credentials, &[]);
                    assert!(!left.contains(&code), "{why}: {instead}: {left:?}");
                    assert!(!left.iter().any(|code| code.starts_with("E1")), "{why}: {left:?}");
                    proposals += 1;
                }
                Some(Replacement::Pattern(instead)) => {
                    let allow_origins = vec![instead.clone()];
                    let cors =
                        CorsDraft { allow_origins, allow_credentials, ..CorsDraft::default() };
                    let draft = Draft { cors: Some(cors), ..Draft::default() };
                    let refusals = validate(&draft, &FullKnowledge).findings;
                    let mut refusals = refusals.iter().filter(|one| one.is_refusal());
                    assert_eq!(refusals.next(), None, "{why}: {instead}");
                    proposals += 1;
                }
                None => {}
            }
        }
    }
    assert!(proposals > 30, "{proposals}");
}
