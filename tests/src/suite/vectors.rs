//! `vectors/*.json`: other projects' suites, as `vectors/README.md` says they are to be read.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use corsward_browser::CredentialsMode;
use corsward_test_harness::case::{Case, Expect, Request, Upstream};
use corsward_test_harness::policies;
use corsward_test_harness::text::{Written, latin1};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::suite::Suite;

#[derive(Deserialize)]
struct File {
    suite: String,
    source: String,
    policies: BTreeMap<String, Map<String, Value>>,
    cases: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    policy: Option<String>,
    request: RowRequest,
    upstream: RowUpstream,
    expect: RowExpect,
    r#ref: String,
    #[serde(default)]
    differs: Option<String>,
    /// Whether the response passes as the upstream gave it.
    #[serde(default)]
    raw: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowRequest {
    method: String,
    headers: Vec<(String, Written)>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    credentials: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowUpstream {
    status: u16,
    headers: Vec<(String, Written)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowExpect {
    browser: String,
    upstream_reached: bool,
    status: Value,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    vary_has: Vec<String>,
    #[serde(default)]
    vary_lacks: Vec<String>,
    #[serde(default)]
    body_empty: bool,
}

/// Reads a file of vectors.
///
/// # Errors
///
/// Fails if it does not have their form.
pub fn parse(_: &str, text: &str) -> Result<Suite> {
    let file: File = serde_json::from_str(text)?;
    let policies = file
        .policies
        .into_iter()
        .map(|(name, cors)| policy(&file.suite, &name, cors))
        .collect::<Result<_>>()?;
    let cases = file
        .cases
        .into_iter()
        .map(|row| {
            let id = row.id.clone();
            row.case(&file.suite, &file.source).with_context(|| format!("in case `{id}`"))
        })
        .collect::<Result<_>>()?;
    Ok(Suite { name: file.suite, policies, cases, alone: false })
}

fn policy(suite: &str, name: &str, mut cors: Map<String, Value>) -> Result<Value> {
    let mut spec = match cors.remove("_spec") {
        None => Map::new(),
        Some(Value::Object(spec)) => spec,
        Some(other) => bail!("`_spec` of `{name}` is no object: {other}"),
    };
    spec.insert("cors".into(), Value::Object(cors));
    Ok(policies::policy(suite, name, spec))
}

// === impl Row ===

impl Row {
    fn case(self, suite: &str, source: &str) -> Result<Case> {
        let Self { id, policy, request, upstream, expect, r#ref, differs, raw } = self;
        let differs = differs.map(|why| format!("; {why}")).unwrap_or_default();
        let authority = policies::host(suite, policy.as_deref().unwrap_or("unscoped"));
        Ok(Case {
            suite: suite.into(),
            name: id,
            why: format!("{source}, {}{differs}", r#ref),
            request: request.read(authority)?,
            upstream: Upstream { status: upstream.status, headers: lines(&upstream.headers)? },
            expect: expect.read(raw)?,
        })
    }
}

impl RowRequest {
    fn read(self, authority: String) -> Result<Request> {
        let credentials = self.credentials.as_deref().unwrap_or("omit");
        Ok(Request {
            method: self.method,
            authority,
            path: latin1(self.path.as_deref().unwrap_or("/"))?,
            headers: lines(&self.headers)?,
            credentials: CredentialsMode::parse(credentials)
                .with_context(|| format!("`{credentials}` is no credentials mode"))?,
        })
    }
}

impl RowExpect {
    fn read(self, raw: bool) -> Result<Expect> {
        let headers = self.headers.iter().map(|(name, value)| Ok((name.clone(), latin1(value)?)));
        Ok(Expect {
            browser: match self.browser.as_str() {
                "allow" => Some(true),
                "deny" => Some(false),
                "n/a" => None,
                other => bail!("a browser does not conclude `{other}`"),
            },
            upstream_reached: self.upstream_reached,
            status: statuses(&self.status)?,
            headers: headers.collect::<Result<_>>()?,
            absent: self.absent,
            vary_has: self.vary_has,
            vary_lacks: self.vary_lacks,
            body_empty: self.body_empty,
            untouched: raw,
            ..Expect::default()
        })
    }
}

/// A number, a list, or null: anything below 500.
fn statuses(written: &Value) -> Result<Vec<u16>> {
    let status = |value: &Value| {
        value.as_u64().and_then(|status| status.try_into().ok()).context("a status is a number")
    };
    match written {
        Value::Null => Ok(Vec::new()),
        Value::Array(several) => several.iter().map(status).collect(),
        one => Ok(vec![status(one)?]),
    }
}

/// Header lines as bytes.
pub(crate) fn lines(written: &[(String, Written)]) -> Result<Vec<(String, Vec<u8>)>> {
    written.iter().map(|(name, value)| Ok((name.clone(), value.bytes()?))).collect()
}
