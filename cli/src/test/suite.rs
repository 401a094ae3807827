//! Suite: a test file.

use std::collections::BTreeMap;

use anyhow::bail;
use corsward_browser::{HeaderLine, PageRequest};
use serde::{Deserialize, Serialize};
use strum::VariantNames;

use super::form;
use crate::explain::Credentials;
use crate::explain::asked::page_request;
use crate::policies::ProxyTarget;

/// The name of a test file in a folder.
pub(super) const FILE_NAME: &str = "corsward-test.yaml";

/// A test file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Suite {
    pub(super) api_version: ApiVersion,
    pub(super) kind: Kind,
    pub(super) metadata: Metadata,
    /// Files and folders beside the file.
    pub(super) policies: Vec<String>,
    /// One proxy has all policies, whatever namespaces and targets they name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) one_proxy: bool,
    pub(super) results: Vec<Expectation>,
}

/// The version of the form.
#[derive(Debug, Default, Deserialize, Serialize, VariantNames)]
pub(super) enum ApiVersion {
    #[default]
    #[serde(rename = "cli.corsward.io/v1alpha1")]
    #[strum(serialize = "cli.corsward.io/v1alpha1")]
    V1Alpha1,
}

/// The kind of the document.
#[derive(Debug, Default, Deserialize, Serialize, VariantNames)]
pub(super) enum Kind {
    #[default]
    Test,
}

/// The name of the tests together.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Metadata {
    pub(super) name: String,
}

/// A page's request and its expected result.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expectation {
    pub(super) name: String,
    /// The proxy that answers, where the host of the URL selects several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<ProxyTarget>,
    pub(super) origin: String,
    pub(super) url: String,
    #[serde(default = "get", skip_serializing_if = "is_get")]
    pub(super) method: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) credentials: Option<Credentials>,
    pub(super) result: PageResult,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Reason>,
    /// The policy that decides, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
}

/// The result of a page's request, where the upstream answers 200 without a header of CORS.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, VariantNames, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub(super) enum PageResult {
    /// The page reads the response.
    Allowed,
    /// The browser sends no request after the preflight, or hides the response.
    Refused,
    /// The proxy answers 403 in the upstream's place.
    Rejected,
    /// No policy decides: the upstream answers.
    Uncovered,
}

/// The reason of a refusal.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, VariantNames, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(super) enum Reason {
    Origin,
    NullOrigin,
    MalformedOrigin,
    TooLong,
    Method,
    Header,
    AmbiguousPath,
    /// The policy allows the origin without credentials.
    Credentials,
}

fn get() -> String {
    "GET".to_owned()
}

fn is_get(method: &str) -> bool {
    method == "GET"
}

// === impl Suite ===

impl Suite {
    /// Reads a file.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        form::check(text)?;
        let suite: Self = form::read(text)?;
        let mut targeted = suite.results.iter().filter(|it| it.target.is_some());
        match targeted.next() {
            Some(first) if suite.one_proxy => bail!(
                "results: {}: `target` chooses among proxies, and `oneProxy: true` gives all policies to one: leave one of them out",
                first.name
            ),
            _ => Ok(suite),
        }
    }
}

// === impl Expectation ===

impl Expectation {
    /// The page's request.
    pub(super) fn page(&self) -> anyhow::Result<PageRequest> {
        let header = |(name, value): (&String, &String)| -> HeaderLine {
            (name.clone(), value.as_bytes().to_vec())
        };
        let mut page = page_request(&self.origin, &self.url, &self.method)?;
        page.headers = self.headers.iter().map(header).collect();
        page.credentials = self.credentials.map_or(page.credentials, Into::into);
        Ok(page)
    }
}
