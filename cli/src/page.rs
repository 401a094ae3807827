//! Page: the policies and the request of a page in a browser, answered as JSON, by the code of `check` and `explain`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::check;
use crate::explain::asked::{Asked, header};
use crate::explain::{self, Credentials};
use crate::policies::{FileSource, Policies, STDIN, SourceFile};

/// The fields of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    policy: String,
    origin: String,
    method: String,
    url: String,
    /// Each as `Name: value`.
    headers: Vec<String>,
    credentials: Credentials,
}

/// The answer to a case.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// The list of `corsward check -o json`.
    findings: Value,
    /// The object of `corsward explain -o json`; `None`: there is nothing to walk through.
    walk: Option<Value>,
    /// The reason why there is no walk, or a part of it is missing.
    note: Option<String>,
}

/// Answers a case: JSON to JSON.
///
/// # Errors
///
/// Fails if the text is no case.
pub fn answer(case: &str) -> anyhow::Result<String> {
    let case: Case = serde_json::from_str(case)?;
    Ok(serde_json::to_string(&Answer::of(case)?)?)
}

// === impl Answer ===

impl Answer {
    fn of(case: Case) -> anyhow::Result<Self> {
        let Case { policy, origin, method, url, headers, credentials } = case;
        let bytes = Ok(policy.into_bytes());
        let policies = Policies::of(vec![SourceFile {
            name: STDIN.to_owned(),
            bytes,
            source: FileSource::Path,
        }]);
        let findings = check::findings(&policies)?;
        let walk =
            headers.iter().map(|line| header(line)).collect::<Result<_, _>>().and_then(|headers| {
                explain::require_accepted(&policies, "")?;
                let (origin, url, method) = (Some(origin), Some(url), Some(method));
                let credentials = Some(credentials.into());
                explain::walk_of(&policies, Asked { origin, url, method, headers, credentials })
            });
        let (walk, note) = match walk {
            Ok(walk) => (Some(walk), policies.is_refused().then(|| explain::LEFT_OUT.to_owned())),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        // The page shows the findings beside the note.
        let note = note.map(|note| note.replace("`corsward check` says", "the findings say"));
        Ok(Self { findings, walk, note })
    }
}
