//! Differences: compares an answer with what a case expects, the same for every machine.

use corsward_browser::combined;
use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::{Case, Expect};
use corsward_test_harness::text::from_latin1;

/// Headers whose values are compared as case-folded sets.
const SETS: [&str; 3] = [
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
];

/// Everything that is wrong with `answer`, one sentence each; empty: nothing.
pub fn differences(case: &Case, answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    status(&case.expect, answer, &mut wrong);
    headers(&case.expect, answer, &mut wrong);
    vary(&case.expect, answer, &mut wrong);
    received(&case.expect, answer, &mut wrong);
    browser(case, answer, &mut wrong);
    if case.expect.untouched {
        untouched(case, answer, &mut wrong);
    }
    explanation(&case.expect, answer, &mut wrong);
    wrong
}

/// The sentences about one case, with what it takes to understand them.
pub fn report(case: &Case, answer: &Answer, wrong: &[String]) -> String {
    let mut text = format!("{}\n  why: {}\n", case.id(), case.why);
    for sentence in wrong {
        text.push_str(&format!("  WRONG: {sentence}\n"));
    }
    let request = &case.request;
    text.push_str(&format!(
        "  > {} {}{}\n",
        request.method,
        request.authority,
        from_latin1(&request.path)
    ));
    for (name, value) in &request.headers {
        text.push_str(&format!("  > {name}: {}\n", shown(value)));
    }
    text.push_str(&format!("  < {} ({} body bytes)\n", answer.status, answer.body.len()));
    for (name, value) in &answer.headers {
        text.push_str(&format!("  < {name}: {}\n", shown(value)));
    }
    text
}

fn status(expect: &Expect, answer: &Answer, wrong: &mut Vec<String>) {
    let right = match expect.status.as_slice() {
        [] => answer.status < 500,
        several => several.contains(&answer.status),
    };
    if !right {
        wrong.push(format!("status {}, not {:?}", answer.status, expect.status));
    }
    if answer.upstream_reached != expect.upstream_reached {
        let word = if answer.upstream_reached { "was" } else { "was not" };
        wrong.push(format!("the upstream {word} asked"));
    }
    if expect.body_empty && !answer.body.is_empty() {
        wrong.push(format!("a body of {} bytes", answer.body.len()));
    }
}

fn headers(expect: &Expect, answer: &Answer, wrong: &mut Vec<String>) {
    for (name, want) in &expect.headers {
        match answer.get(name) {
            None => wrong.push(format!("no {name}, not `{}`", shown(want))),
            Some(got) if comparable(name, &got) != comparable(name, want) => {
                wrong.push(format!("{name} is `{}`, not `{}`", shown(&got), shown(want)));
            }
            Some(_) => {}
        }
    }
    for (name, part) in &expect.contains {
        let got = answer.get(name).map(|value| from_latin1(&value)).unwrap_or_default();
        if !got.contains(part) {
            wrong.push(format!("{name} is `{got}`, without `{part}`"));
        }
    }
    for glob in &expect.absent {
        for (name, value) in answer.lines(|name| matches(glob, name)) {
            wrong.push(format!("{name}: `{}` is there", shown(value)));
        }
    }
}

fn vary(expect: &Expect, answer: &Answer, wrong: &mut Vec<String>) {
    let tokens = answer.vary();
    let count = |wanted: &str| tokens.iter().filter(|token| **token == wanted).count();
    for token in &expect.vary_has {
        let times = count(&token.to_ascii_lowercase());
        if times != 1 {
            wrong.push(format!("Vary has `{token}` {times} times: {tokens:?}"));
        }
    }
    for token in &expect.vary_lacks {
        if count(&token.to_ascii_lowercase()) > 0 {
            wrong.push(format!("Vary has `{token}`: {tokens:?}"));
        }
    }
    let is_expected =
        |token: &String| expect.vary_has.iter().any(|want| want.eq_ignore_ascii_case(token));
    if expect.vary_is_complete {
        for token in tokens.iter().filter(|token| !is_expected(token)) {
            wrong.push(format!("Vary has `{token}` too: {tokens:?}"));
        }
    }
}

/// Compares the request that the upstream received.
fn received(expect: &Expect, answer: &Answer, wrong: &mut Vec<String>) {
    let Some(lines) = &answer.received else {
        return;
    };
    for (name, want) in &expect.received {
        let got = combined(lines, name);
        if got.as_ref().map(|got| elements(got)) != Some(elements(want)) {
            let got = got.map_or_else(|| "no header".to_owned(), |got| shown(&got));
            wrong.push(format!("the upstream saw {name} as `{got}`, not `{}`", shown(want)));
        }
    }
    for name in &expect.withheld {
        if let Some(got) = combined(lines, name) {
            wrong.push(format!("the upstream saw {name}: `{}`", shown(&got)));
        }
    }
}

fn browser(case: &Case, answer: &Answer, wrong: &mut Vec<String>) {
    let Some(want) = case.expect.browser else {
        return;
    };
    let got = answer.passes(&case.request);
    if got != want {
        wrong.push(format!("the browser {}", if got { "allows it" } else { "denies it" }));
    }
}

/// The CORS headers and `Vary` are those of the upstream, and no more.
fn untouched(case: &Case, answer: &Answer, wrong: &mut Vec<String>) {
    let owned =
        |name: &str| name.starts_with("access-control-") || name == "vary" || name == "x-corsward";
    let upstream = Answer { headers: case.upstream.headers.clone(), ..Answer::default() };
    let mut names: Vec<String> = [&upstream, answer]
        .iter()
        .flat_map(|side| side.lines(owned).map(|(name, _)| name))
        .collect();
    names.sort();
    names.dedup();
    for name in names {
        let elements = |side: &Answer| side.get(&name).map(|value| elements(&value));
        if elements(&upstream) != elements(answer) {
            wrong.push(format!("{name} is not as the upstream gave it"));
        }
    }
}

fn explanation(expect: &Expect, answer: &Answer, wrong: &mut Vec<String>) {
    let Some(got) = &answer.explanation else {
        return;
    };
    for (what, want, got) in [
        ("verdict", &expect.verdict, &got.verdict),
        ("decided by", &expect.decided_by, &got.decided_by),
        ("shadow", &expect.shadow, &got.shadow),
    ] {
        if want.as_ref().is_some_and(|want| want != got) {
            let want = want.as_deref().unwrap_or_default();
            wrong.push(format!("{what}: `{got}`, not `{want}`"));
        }
    }
}

/// A value in a form that is equal where the difference does not matter.
fn comparable(name: &str, value: &[u8]) -> Vec<Vec<u8>> {
    let mut elements = elements(value);
    if SETS.contains(&name.to_ascii_lowercase().as_str()) {
        elements = elements.iter().map(|element| element.to_ascii_lowercase()).collect();
        elements.sort();
        elements.dedup();
    }
    elements
}

/// Proxies join lines with and without a space.
fn elements(value: &[u8]) -> Vec<Vec<u8>> {
    value.split(|&byte| byte == b',').map(|element| element.trim_ascii().to_vec()).collect()
}

/// Does a name match a name or a glob with one `*` at its end?
fn matches(glob: &str, name: &str) -> bool {
    match glob.strip_suffix('*') {
        Some(prefix) => name.starts_with(&prefix.to_ascii_lowercase()),
        None => name.eq_ignore_ascii_case(glob),
    }
}

/// A value for the eye.
fn shown(value: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = value.get(..LONGEST).unwrap_or(value).escape_ascii().to_string();
    if value.len() > LONGEST { format!("{text}… ({} bytes)", value.len()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corsward_browser::CredentialsMode;
    use corsward_test_harness::case::{Request, Upstream};

    fn case(expect: Expect) -> Case {
        Case {
            suite: "s".into(),
            name: "n".into(),
            why: "because".into(),
            request: Request {
                method: "GET".into(),
                authority: "a.test".into(),
                path: b"/".to_vec(),
                headers: vec![("Origin".into(), b"https://a.example".to_vec())],
                credentials: CredentialsMode::Omit,
            },
            upstream: Upstream { status: 200, headers: Vec::new() },
            expect: Expect { status: vec![200], upstream_reached: true, ..expect },
        }
    }

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Answer { status: 200, headers, upstream_reached: true, ..Answer::default() }
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let header = |name: &str, value: &str| vec![(name.to_owned(), value.as_bytes().to_vec())];
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (why, expect, headers, want) in [
            ("nothing asked", Expect::default(), vec![], 0),
            (
                "sets",
                Expect {
                    headers: header("access-control-allow-methods", "GET, PUT"),
                    ..Expect::default()
                },
                vec![("Access-Control-Allow-Methods", "put,get")],
                0,
            ),
            (
                "not a set",
                Expect {
                    headers: header("access-control-allow-origin", "https://a.example"),
                    ..Expect::default()
                },
                vec![("access-control-allow-origin", "https://A.example")],
                1,
            ),
            ("missing", Expect { headers: header("x", "y"), ..Expect::default() }, vec![], 1),
            (
                "glob",
                Expect { absent: text(&["access-control-*"]), ..Expect::default() },
                vec![("Access-Control-X", "")],
                1,
            ),
            (
                "vary twice",
                Expect { vary_has: text(&["origin"]), ..Expect::default() },
                vec![("Vary", "Origin"), ("vary", "origin")],
                1,
            ),
            (
                "vary lacks",
                Expect { vary_lacks: text(&["origin"]), ..Expect::default() },
                vec![("Vary", "Accept, Origin")],
                1,
            ),
            (
                "vary more",
                Expect { vary_is_complete: true, ..Expect::default() },
                vec![("Vary", "Accept")],
                1,
            ),
            ("browser", Expect { browser: Some(true), ..Expect::default() }, vec![], 1),
            (
                "untouched",
                Expect { untouched: true, ..Expect::default() },
                vec![("Vary", "Origin")],
                1,
            ),
        ] {
            let wrong = differences(&case(expect), &answer(&headers));
            assert_eq!(wrong.len(), want, "{why}: {wrong:?}");
        }
        let unseen = Expect {
            received: header("origin", "https://a.example"),
            withheld: text(&["x-b"]),
            ..Expect::default()
        };
        let got = Answer { received: Some(header("X-B", "1")), ..answer(&[]) };
        assert_eq!(differences(&case(unseen.clone()), &got).len(), 2);
        let got = Answer { received: Some(header("Origin", "https://a.example")), ..answer(&[]) };
        assert_eq!(differences(&case(unseen.clone()), &got), [""; 0]);
        assert_eq!(differences(&case(unseen), &answer(&[])), [""; 0], "a machine that cannot tell");
        let wrong =
            differences(&case(Expect::default()), &Answer { status: 503, ..Answer::default() });
        assert_eq!(wrong, ["status 503, not [200]", "the upstream was not asked"]);
    }
}
