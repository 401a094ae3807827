//! Change log: the lines of the controller, as the operator logs them.

use corsward_operator_core::change_log::{LogLine, PolicyResult};
use corsward_operator_core::event::Problem;
use corsward_policy::{Finding, PolicyId, Severity};
use tracing::{debug, error, info, warn};

/// Logs a line.
pub(crate) fn write(line: &LogLine) {
    match line {
        LogLine::Problem(Problem { place: file, guardrail: _, finding }) => {
            warn!(file, code = finding.code(), field = finding.field, "{}", finding.message());
        }
        LogLine::Enforcement(false) => {
            warn!("enforcement is off: no policy is in force anywhere");
        }
        LogLine::Enforcement(true) => {
            info!("enforcement is on: policies are in force again");
        }
        LogLine::Policy { policy, file, generation, result } => {
            write_result(policy, file.as_deref(), *generation, *result);
        }
        LogLine::Finding { policy, file, finding } => {
            write_finding(policy, file.as_deref(), finding);
        }
        LogLine::Gone(policy) => info!(%policy, "gone"),
        LogLine::Withheld(why) => {
            error!(why, "some policies are not published; the configuration in force stays");
        }
        LogLine::NothingInForce => {
            info!("no policy is in force: requests pass as if there were no filter");
        }
        LogLine::StatusResent(resource) => {
            debug!(%resource, "the watch does not show a written status: sent again");
        }
    }
}

fn write_result(policy: &PolicyId, file: Option<&str>, generation: i64, result: PolicyResult) {
    match result {
        PolicyResult::Accepted => info!(%policy, file, generation, "accepted"),
        PolicyResult::Off => {
            warn!(%policy, file, generation, "refused; the last valid spec is switched off");
        }
        PolicyResult::LastGood(kept) => {
            warn!(%policy, file, generation, kept, "refused; the last valid spec stays in force");
        }
        PolicyResult::Refused => {
            warn!(%policy, file, generation, "refused; nothing of it is in force");
        }
    }
}

fn write_finding(policy: &PolicyId, file: Option<&str>, finding: &Finding) {
    let (code, field) = (finding.code(), &finding.field);
    match finding.severity() {
        Severity::Refusal | Severity::Warning => {
            warn!(%policy, file, code, field, "{}", finding.message());
        }
        Severity::Hint => info!(%policy, file, code, field, "{}", finding.message()),
    }
}
