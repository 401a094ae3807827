//! Outcome: the result of a command, as an exit code.

use std::process::ExitCode;

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// All is well.
    Success = 0,
    /// The command did its work and found a fault: a refused policy, a failed expectation, a difference.
    Fault = 1,
    /// The command could not do its work: wrong arguments, an unreadable file, no policy.
    Unusable = 2,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome as u8)
    }
}
