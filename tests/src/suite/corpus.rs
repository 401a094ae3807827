//! `corpus/*.toml`: the cases of `docs/design.md`. Each case lists the CORS headers and the `Vary` of its response completely.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use corsward_browser::CredentialsMode;
use corsward_test_harness::case::{Case, Expect, Request, Upstream};
use corsward_test_harness::policies;
use corsward_test_harness::text::{Written, latin1};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::vectors::lines;
use crate::suite::Suite;

/// The seven headers of the CORS protocol that a policy owns, by their initials.
const CORS_HEADERS: [(&str, &str); 7] = [
    ("acao", "access-control-allow-origin"),
    ("acac", "access-control-allow-credentials"),
    ("acam", "access-control-allow-methods"),
    ("acah", "access-control-allow-headers"),
    ("aceh", "access-control-expose-headers"),
    ("acma", "access-control-max-age"),
    ("acapn", "access-control-allow-private-network"),
];

const VARY_OF_A_PREFLIGHT: [&str; 3] =
    ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Whether the policies cover hosts of other suites.
    #[serde(default)]
    alone: bool,
    /// `spec`s by name, each with an optional `metadata`.
    #[serde(default)]
    policies: BTreeMap<String, Map<String, Value>>,
    test: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    why: String,
    /// The name of a policy, or its `spec`.
    policy: Option<Named>,
    /// The authority, where it is not the policy's own host.
    host: Option<String>,
    #[serde(default)]
    request: RowRequest,
    #[serde(default)]
    upstream: RowUpstream,
    #[serde(default)]
    want: Want,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Name(String),
    Spec(Map<String, Value>),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowRequest {
    /// `GET`, or `OPTIONS` where there is an `acrm`.
    method: Option<String>,
    path: Option<String>,
    origin: Option<Written>,
    acrm: Option<Written>,
    acrh: Option<Written>,
    credentials: Option<String>,
    /// More header lines.
    #[serde(default)]
    headers: Vec<(String, Written)>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowUpstream {
    /// 200 where absent.
    status: Option<u16>,
    #[serde(default)]
    headers: Vec<(String, Written)>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Want {
    /// The status of an answer that the proxy gives by itself; absent: the request is forwarded.
    reply: Option<u16>,
    /// `allow` or `deny`; absent: not asked.
    browser: Option<String>,
    acao: Option<String>,
    acac: Option<String>,
    acam: Option<String>,
    acah: Option<String>,
    aceh: Option<String>,
    acma: Option<String>,
    acapn: Option<String>,
    /// All of `Vary`; `preflight` stands for the three of a preflight.
    #[serde(default)]
    vary: Vec<String>,
    /// Initials of headers, or `vary`, that the design leaves open.
    #[serde(default)]
    unchecked: Vec<String>,
    /// Other headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Other headers, by a part of their value.
    #[serde(default)]
    contains: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
    /// Headers of the request that the upstream sees.
    #[serde(default)]
    received: BTreeMap<String, String>,
    /// Headers of the request that it does not see.
    #[serde(default)]
    withheld: Vec<String>,
    /// The response passes as the upstream gave it.
    #[serde(default)]
    untouched: bool,
    verdict: Option<String>,
    by: Option<String>,
    shadow: Option<String>,
}

/// Reads a file of the corpus.
///
/// # Errors
///
/// Fails if it does not have the form, or a case does not say why.
pub fn parse(suite: &str, text: &str) -> Result<Suite> {
    let file: File = toml::from_str(text)?;
    let mut policies: Vec<Value> = file
        .policies
        .into_iter()
        .map(|(name, spec)| policies::policy(suite, &name, spec))
        .collect();
    let mut cases = Vec::new();
    for row in file.test {
        let name = row.name.clone();
        let case = row.case(suite, &mut policies).with_context(|| format!("in test `{name}`"))?;
        cases.push(case);
    }
    Ok(Suite { name: suite.into(), policies, cases, alone: file.alone })
}

// === impl Row ===

impl Row {
    fn case(self, suite: &str, policies: &mut Vec<Value>) -> Result<Case> {
        let Self { name, why, policy, host, request, upstream, want } = self;
        ensure!(!why.trim().is_empty(), "a test says why");
        let policy = match policy {
            None => None,
            Some(Named::Name(policy)) => {
                let known = policies.iter().any(|known| known["metadata"]["name"] == policy);
                ensure!(known, "there is no policy `{policy}`");
                Some(policy)
            }
            Some(Named::Spec(spec)) => {
                policies.push(policies::policy(suite, &name, spec));
                Some(name.clone())
            }
        };
        let authority = match (host, policy) {
            (Some(host), _) => host,
            (None, Some(policy)) => policies::host(suite, &policy),
            (None, None) => bail!("a test names its policy or its host"),
        };
        let upstream =
            Upstream { status: upstream.status.unwrap_or(200), headers: lines(&upstream.headers)? };
        let expect = want.read(upstream.status)?;
        let request = request.read(authority)?;
        Ok(Case { suite: suite.into(), name, why, request, upstream, expect })
    }
}

impl RowRequest {
    fn read(self, authority: String) -> Result<Request> {
        let Self { method, path, origin, acrm, acrh, credentials, headers } = self;
        let default = if acrm.is_some() { "OPTIONS" } else { "GET" };
        let credentials = credentials.as_deref().unwrap_or("omit");
        let mut all = Vec::new();
        for (name, value) in [
            ("Origin", origin),
            ("Access-Control-Request-Method", acrm),
            ("Access-Control-Request-Headers", acrh),
        ] {
            if let Some(value) = value {
                all.push((name.to_owned(), value.bytes()?));
            }
        }
        all.extend(lines(&headers)?);
        Ok(Request {
            method: method.unwrap_or_else(|| default.to_owned()),
            authority,
            path: latin1(path.as_deref().unwrap_or("/"))?,
            headers: all,
            credentials: CredentialsMode::parse(credentials)
                .with_context(|| format!("`{credentials}` is no credentials mode"))?,
        })
    }
}

impl Want {
    fn read(self, upstream_status: u16) -> Result<Expect> {
        let browser = match self.browser.as_deref() {
            None => None,
            Some("allow") => Some(true),
            Some("deny") => Some(false),
            Some(other) => bail!("a browser does not conclude `{other}`"),
        };
        let mut absent = self.absent;
        let mut headers = Vec::new();
        let written =
            [self.acao, self.acac, self.acam, self.acah, self.aceh, self.acma, self.acapn];
        let is_unchecked = |word: &str| self.unchecked.iter().any(|found| found == word);
        for ((initials, name), value) in CORS_HEADERS.into_iter().zip(written) {
            match value {
                Some(value) => headers.push((name.to_owned(), latin1(&value)?)),
                None if self.untouched || is_unchecked(initials) => {}
                None => absent.push(name.to_owned()),
            }
        }
        for (name, value) in self.headers {
            headers.push((name, latin1(&value)?));
        }
        let mut received = Vec::new();
        for (name, value) in self.received {
            received.push((name, latin1(&value)?));
        }
        Ok(Expect {
            browser,
            upstream_reached: self.reply.is_none(),
            received,
            withheld: self.withheld,
            status: vec![self.reply.unwrap_or(upstream_status)],
            headers,
            contains: self.contains.into_iter().collect(),
            absent,
            vary_has: vary(&self.vary),
            vary_lacks: Vec::new(),
            vary_is_complete: !self.untouched && !is_unchecked("vary"),
            body_empty: self.reply.is_some(),
            untouched: self.untouched,
            verdict: self.verdict,
            decided_by: self.by,
            shadow: self.shadow,
        })
    }
}

/// The tokens that a list of the corpus stands for.
fn vary(written: &[String]) -> Vec<String> {
    let tokens = |word: &String| match word.as_str() {
        "preflight" => VARY_OF_A_PREFLIGHT.map(str::to_owned).to_vec(),
        token => vec![token.to_owned()],
    };
    written.iter().flat_map(tokens).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_without_why_does_not_load() {
        let case = |why: &str| format!("[[test]]\nname = \"a\"\n{why}\nhost = \"a.test\"\n");
        assert!(parse("s", &case("why = \"because\"")).is_ok());
        assert!(parse("s", &case("")).is_err());
        assert!(parse("s", &case("why = \" \"")).is_err());
    }

    #[test]
    fn what_a_case_does_not_expect_is_not_there() {
        let text = r#"
            [[test]]
            name = "a"
            why = "because"
            policy = { cors = { allowOrigins = ["*"] } }
            request = { origin = "https://a.example", acrm = "PUT" }
            want = { reply = 204, acao = "*" }
        "#;
        let suite = parse("s", text).unwrap();
        let case = &suite.cases[0];
        assert_eq!(case.request.method, "OPTIONS");
        assert_eq!(case.request.authority, "a.s.test");
        assert_eq!(case.expect.absent.len(), 6);
        assert!(case.expect.vary_is_complete && case.expect.body_empty);
        assert!(!case.expect.upstream_reached);
    }
}
