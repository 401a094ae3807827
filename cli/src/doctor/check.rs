//! Check: one question about a cluster, its answer, and a hint.

use std::io::{self, Write};

use serde::Serialize;

use crate::live::Failure;
use crate::output::OneLine;

/// A check with its result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// The part of the installation.
    #[serde(rename = "check")]
    pub(super) part: &'static str,
    pub(super) status: Status,
    /// The state of the part.
    pub(super) message: String,
    /// The next step, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    /// It may be a fault, or it cannot be seen from here.
    Warn,
    Fail,
}

// === impl Check ===

impl Check {
    pub(super) fn ok(part: &'static str, message: impl Into<String>) -> Self {
        Self { part, status: Status::Ok, message: message.into(), hint: None }
    }

    pub(super) fn warn(
        part: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let hint = Some(hint.into());
        Self { part, status: Status::Warn, message: message.into(), hint }
    }

    pub(super) fn fail(
        part: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { status: Status::Fail, ..Self::warn(part, message, hint) }
    }

    /// The check whose object the API server does not show.
    pub(super) fn unseen(part: &'static str, what: &str, why: &Failure) -> Self {
        let message = format!("{what} cannot be read: {why}");
        match why {
            Failure::Forbidden(_) => Self::warn(
                part,
                message,
                "run it as a user who may read it, such as a cluster-admin",
            ),
            _ => Self::fail(part, message, "the API server's log has more"),
        }
    }

    /// Prints the line, in colours for a terminal.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let is_plain = anstream::AutoStream::choice(&io::stdout()) == anstream::ColorChoice::Never;
        let (word, colour) = match self.status {
            Status::Ok => ("ok  ", "32"),
            Status::Warn => ("warn", "33"),
            Status::Fail => ("fail", "31"),
        };
        if is_plain {
            write!(out, "{word}")?;
        } else {
            write!(out, "\x1b[{colour}m{word}\x1b[0m")?;
        }
        writeln!(out, "  {:<13} {}", self.part, OneLine(&self.message))?;
        match &self.hint {
            Some(hint) => writeln!(out, "      {:<13} hint: {}", "", OneLine(hint)),
            None => Ok(()),
        }
    }
}
