//! `JUnit`: the XML of test reports, for CI servers.

use std::io::{self, Write};

/// The cases of a file.
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
}

/// A case; one without a failure passes.
pub(crate) struct Case {
    /// The group that servers show it in.
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) failures: Vec<Failure>,
    /// Lines that fail nothing.
    pub(crate) notes: String,
}

/// The reason of a failed case.
pub(crate) struct Failure {
    /// Its code, if it has one.
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
    /// The place; empty where the message has it.
    pub(crate) text: String,
}

/// Writes the report of a command.
pub(crate) fn write(command: &str, suites: &[Suite], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"corsward {command}\">")?;
    for Suite { name, cases } in suites {
        let (name, tests) = (escape(name), cases.len());
        let failed = cases.iter().filter(|case| !case.failures.is_empty()).count();
        writeln!(out, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">")?;
        for case in cases {
            case.write(out)?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

// === impl Case ===

impl Case {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { class, name, failures, notes } = self;
        let (class, name) = (escape(class), escape(name));
        write!(out, "    <testcase classname=\"{class}\" name=\"{name}\"")?;
        if failures.is_empty() && notes.is_empty() {
            return writeln!(out, "/>");
        }
        writeln!(out, ">")?;
        for Failure { code, message, text } in failures {
            let code = code.map(|code| format!("type=\"{code}\" ")).unwrap_or_default();
            write!(out, "      <failure {code}message=\"{}\"", escape(message))?;
            if text.is_empty() {
                writeln!(out, "/>")?;
            } else {
                writeln!(out, ">{}</failure>", escape(text))?;
            }
        }
        if !notes.is_empty() {
            writeln!(out, "      <system-out>{}</system-out>", escape(notes))?;
        }
        writeln!(out, "    </testcase>")
    }
}

/// The text between tags, or in quotes. XML 1.0 has no way to write most control characters and two others.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
