//! Advice: the edits of policies that let a request pass. Each is tried on the real decision before it is given.

use corsward_browser::{CorsFailure, PageRequest, PreflightFailure};
use corsward_policy::Refusal;
use corsward_policy::draft::{CorsDraft, Draft};

use serde::Serialize;

use super::proxy::Proxy;
use super::report::WalkResult;
use super::server::Server;
use super::walk::{Failure, Walk, walk};

/// More edits than a request has parts.
const MAX_EDITS: usize = 16;

/// An edit of a `cors` block.
enum Edit {
    Origin(String),
    Method(String),
    Header(String),
    Credentials(String),
}

/// The edits that let a request pass.
#[derive(Debug, Default, Serialize)]
pub(super) struct Advice {
    /// The edits; none: no edits are enough.
    pub(super) edits: Vec<String>,
    /// An edit that validation refuses, with its finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

/// The edits that let the request pass, if those of one policy do.
pub(super) fn advice(page: &PageRequest, proxy: &Proxy, first: &Walk) -> Advice {
    let mut edits = Vec::new();
    let mut proxy = proxy.clone();
    let mut failure = first.failures.first().cloned();
    while let Some(failed) = failure {
        let (edited, text) = match step(page, &proxy, &failed) {
            Ok(step) => step,
            Err(refused) => return Advice { edits: Vec::new(), refused },
        };
        edits.push(text);
        let walked = walk(page, &Server::Policies(edited.clone()));
        if walked.result == WalkResult::Readable {
            return Advice { edits, refused: None };
        }
        if edits.len() >= MAX_EDITS {
            break;
        }
        proxy = edited;
        failure = walked.failures.first().cloned();
    }
    Advice::default()
}

/// One edit, in the block that decides: the one whose edit changes the failure. The error is an edit that validation refuses.
fn step(
    page: &PageRequest,
    proxy: &Proxy,
    failed: &Failure,
) -> Result<(Proxy, String), Option<String>> {
    let edit = Edit::of(page, failed).ok_or(None)?;
    let policy = failed.policy.as_ref().ok_or(None)?;
    let place = proxy.drafts().iter().position(|draft| draft.id == *policy).ok_or(None)?;
    let rules = proxy.drafts().get(place).map_or(0, |draft| draft.rules.len());
    let mut refused = None;
    for rule in (0..rules).map(Some).chain([None]) {
        let Some(mut draft) = proxy.drafts().get(place).cloned() else { continue };
        let Some((cors, field)) = block(&mut draft, rule) else { continue };
        let text = format!("`{policy}`: {}", edit.apply(cors, &field));
        match proxy.with(place, draft) {
            Ok(edited) if changes(page, &edited, failed) => return Ok((edited, text)),
            Ok(_) => {}
            Err(finding) => refused = Some(format!("{text}: {finding}")),
        }
    }
    Err(refused)
}

/// Whether the first failure is another one now, or none.
fn changes(page: &PageRequest, edited: &Proxy, failed: &Failure) -> bool {
    let now = walk(page, &Server::Policies(edited.clone()));
    let is_other = |now: &Failure| now.cause != failed.cause || now.refusal != failed.refusal;
    now.failures.first().is_none_or(is_other)
}

fn block(draft: &mut Draft, rule: Option<usize>) -> Option<(&mut CorsDraft, String)> {
    match rule {
        None => Some((draft.cors.as_mut()?, "spec.cors".to_owned())),
        Some(at) => {
            let cors = draft.rules.get_mut(at)?.cors.as_mut()?;
            Some((cors, format!("spec.rules[{at}].cors")))
        }
    }
}

// === impl Edit ===

impl Edit {
    /// The edit for a failure: the refusal of the policy says more than the answer.
    fn of(page: &PageRequest, failed: &Failure) -> Option<Self> {
        let origin = page.origin.to_string();
        let method = || page.method.to_ascii_uppercase();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match (failed.refusal, &failed.cause) {
            (_, PreflightFailure::Header { name, .. }) => Self::Header(text(name)),
            (_, PreflightFailure::Method { method, .. }) => Self::Method(text(method)),
            (Some(Refusal::Origin | Refusal::NullOrigin), _) => Self::Origin(origin),
            (Some(Refusal::Method), _) => Self::Method(method()),
            (
                None,
                PreflightFailure::Cors(
                    CorsFailure::WildcardWithCredentials | CorsFailure::CredentialsNotAllowed(_),
                ),
            ) => Self::Credentials(origin),
            _ => return None,
        })
    }

    /// Edits the block, and says so.
    fn apply(&self, cors: &mut CorsDraft, field: &str) -> String {
        match self {
            Self::Origin(origin) => {
                cors.allow_origins.push(origin.clone());
                format!("add `{origin}` to `{field}.allowOrigins`")
            }
            Self::Method(method) => {
                cors.allow_methods.push(method.clone());
                format!("add `{method}` to `{field}.allowMethods`")
            }
            Self::Header(name) => {
                cors.allow_headers.push(name.clone());
                format!("add `{name}` to `{field}.allowHeaders`")
            }
            Self::Credentials(origin) => {
                cors.allow_credentials = true;
                if cors.allow_origins.iter().any(|pattern| pattern == "*") {
                    cors.allow_origins = vec![origin.clone()];
                    return format!(
                        "replace `*` in `{field}.allowOrigins` by `{origin}` and the other origins that may send credentials, and set `{field}.allowCredentials: true`"
                    );
                }
                format!("set `{field}.allowCredentials: true`")
            }
        }
    }
}
