//! Change log: one log line for each real event, and none for what was said before.

use corsward_operator_core::event::Problem;
use corsward_operator_core::status::{ConditionType, Status};
use corsward_policy::draft::Mode;
use corsward_policy::{PolicyId, Severity};
use tracing::{info, warn};

/// Most findings of one policy that are logged at once; the status has more.
const MAX_FINDINGS: usize = 20;

/// One line for each thing that is newly wrong outside of policies.
pub(crate) fn problems(problems: &[Problem], known: &[Problem]) {
    for problem in problems.iter().filter(|problem| !known.contains(problem)) {
        let (finding, file) = (&problem.finding, &problem.place);
        warn!(file, code = finding.code(), field = finding.field, "{}", finding.message());
    }
}

/// One line where enforcement ends or begins again in the whole cluster.
pub(crate) fn enforcement(was_stopped: bool, is_stopped: bool) {
    match (was_stopped, is_stopped) {
        (false, true) => warn!("enforcement is off: no policy is in force anywhere"),
        (true, false) => info!("enforcement is on: policies are in force again"),
        _ => {}
    }
}

/// One line for each policy whose fate is news, and one for each of its findings. `place` is the file of a policy, if it has one.
pub(crate) fn statuses<'p>(
    statuses: &[Status],
    previous: &[Status],
    place: impl Fn(&PolicyId) -> Option<&'p str>,
) {
    let known = |status: &Status| {
        let at = previous.binary_search_by(|known| known.policy.cmp(&status.policy)).ok();
        at.and_then(|at| previous.get(at))
    };
    for status in statuses {
        if known(status).is_some_and(|known| known.says_the_same(status)) {
            continue;
        }
        let (policy, generation) = (&status.policy, status.observed_generation);
        let file = place(policy);
        if status.holds(ConditionType::Accepted) {
            let is_news = known(status).is_none_or(|known| {
                known.observed_generation != generation || !known.holds(ConditionType::Accepted)
            });
            if is_news {
                info!(%policy, file, generation, "accepted");
            }
        } else if status.in_force.as_ref().is_some_and(|kept| kept.policy.mode() == Mode::Off) {
            warn!(%policy, file, generation, "refused; the last valid spec is switched off");
        } else if let Some(in_force) = &status.in_force {
            let kept = in_force.generation;
            warn!(%policy, file, generation, kept, "refused; the last valid spec stays in force");
        } else {
            warn!(%policy, file, generation, "refused; nothing of it is in force");
        }
        let said = known(status).map(|known| known.findings.as_slice()).unwrap_or_default();
        let news = status.findings.iter().filter(|finding| !said.contains(finding));
        for finding in news.take(MAX_FINDINGS) {
            let (code, field) = (finding.code(), &finding.field);
            match finding.severity() {
                Severity::Refusal | Severity::Warning => {
                    warn!(%policy, file, code, field, "{}", finding.message());
                }
                Severity::Hint => info!(%policy, file, code, field, "{}", finding.message()),
            }
        }
    }
    for gone in previous {
        if statuses.binary_search_by(|status| status.policy.cmp(&gone.policy)).is_err() {
            info!(policy = %gone.policy, "gone");
        }
    }
}
