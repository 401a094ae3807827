//! Change log: one log line for each real event, and none for what was said before.

use corsward_policy::draft::Mode;
use corsward_policy::{Finding, PolicyId};

use crate::event::Problem;
use crate::resource_ref::ResourceRef;
use crate::status::{self, ConditionType, Status};

/// Most findings of one policy that are logged at once; the status has more.
const MAX_FINDINGS: usize = 20;

/// A log line.
#[derive(Clone, Debug, PartialEq)]
pub enum LogLine {
    /// Something is newly wrong outside of policies.
    Problem(Problem),
    /// Enforcement ends or begins again in the whole cluster.
    Enforcement(bool),
    /// The result of a policy's validation is news.
    Policy {
        /// The policy.
        policy: PolicyId,
        /// The name of its file.
        file: Option<String>,
        /// Its generation.
        generation: i64,
        /// The result.
        result: PolicyResult,
    },
    /// A finding of a policy is news.
    Finding {
        /// The policy.
        policy: PolicyId,
        /// The name of its file.
        file: Option<String>,
        /// The finding.
        finding: Finding,
    },
    /// A policy is gone.
    Gone(PolicyId),
    /// A plan is not published as a whole, for this reason.
    Withheld(String),
    /// No policy is in force.
    NothingInForce,
    /// The watch does not show a written status, which is sent again.
    StatusResent(ResourceRef),
}

/// The result of a policy's validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyResult {
    /// It is accepted.
    Accepted,
    /// It is refused, and nothing of it is in force.
    Refused,
    /// It is refused, and the last valid spec, of this generation, stays in force.
    LastGood(i64),
    /// It is refused, and the last valid spec is switched off.
    Off,
}

/// One line for each thing that is newly wrong outside of policies.
pub(crate) fn problems(problems: &[Problem], known: &[Problem]) -> Vec<LogLine> {
    let news = problems.iter().filter(|problem| !known.contains(problem));
    news.cloned().map(LogLine::Problem).collect()
}

/// The lines about policies whose statuses are news, and about those that are gone. `place` is the file of a policy, if it has one.
pub(crate) fn statuses<'p>(
    statuses: &[Status],
    previous: &[Status],
    place: impl Fn(&PolicyId) -> Option<&'p str>,
) -> Vec<LogLine> {
    let mut lines = Vec::new();
    for status in statuses {
        let known = status::find(previous, &status.policy);
        if known.is_some_and(|known| known.says_the_same(status)) {
            continue;
        }
        let (policy, generation) = (status.policy.clone(), status.observed_generation);
        let file = place(&policy).map(str::to_owned);
        lines.extend(result(status, known).map(|result| LogLine::Policy {
            policy: policy.clone(),
            file: file.clone(),
            generation,
            result,
        }));
        let said = known.map(|known| known.findings.as_slice()).unwrap_or_default();
        let news = status.findings.iter().filter(|finding| !said.contains(finding));
        lines.extend(news.take(MAX_FINDINGS).map(|finding| LogLine::Finding {
            policy: policy.clone(),
            file: file.clone(),
            finding: finding.clone(),
        }));
    }
    for gone in previous {
        if status::find(statuses, &gone.policy).is_none() {
            lines.push(LogLine::Gone(gone.policy.clone()));
        }
    }
    lines
}

/// The result of a policy's validation; `None` if it is accepted and was so before.
fn result(status: &Status, known: Option<&Status>) -> Option<PolicyResult> {
    if status.holds(ConditionType::Accepted) {
        let is_news = known.is_none_or(|known| {
            known.observed_generation != status.observed_generation
                || !known.holds(ConditionType::Accepted)
        });
        return is_news.then_some(PolicyResult::Accepted);
    }
    Some(match &status.in_force {
        Some(kept) if kept.policy.mode() == Mode::Off => PolicyResult::Off,
        Some(kept) => PolicyResult::LastGood(kept.generation),
        None => PolicyResult::Refused,
    })
}
