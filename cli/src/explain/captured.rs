//! Captured answers: the text of `curl -i` or `curl -v`, or a HAR that a browser exports.

mod har;
mod transcript;

use std::path::Path;
use std::{fs, io};

use anyhow::{Context as _, bail};

use super::asked::Asked;
use super::diagnosis::Diagnosis;
use super::reply::Answer;
use crate::policies::STDIN;

use self::transcript::{Exchange, Transcript};

/// The content of a capture.
#[derive(Debug, Default)]
pub(super) struct Captured {
    /// The page's request, as far as the capture has it.
    pub(super) asked: Asked,
    pub(super) preflight: Option<Answer>,
    pub(super) request: Option<Answer>,
    /// Causes other than CORS that the capture shows.
    pub(super) diagnoses: Vec<Diagnosis>,
}

/// Reads the files of `--preflight` and `--response`; what is asked chooses among the requests of a HAR.
pub(super) fn read(
    preflight: Option<&Path>,
    response: Option<&Path>,
    asked: &Asked,
) -> anyhow::Result<Captured> {
    let mut captured = Captured::default();
    if let Some(file) = response {
        let text = text(file)?;
        let read = if text.starts_with('{') {
            har::read(&text, asked)
        } else {
            transcript::read(&text).map(|transcript| of_both(transcript, asked))
        };
        captured = read.with_context(|| file.display().to_string())?;
    }
    if let Some(file) = preflight {
        captured.add_preflight(&text(file)?).with_context(|| file.display().to_string())?;
    }
    Ok(captured)
}

/// The text of a file, or of standard input for `-`.
fn text(file: &Path) -> anyhow::Result<String> {
    let bytes = if file == Path::new(STDIN) {
        io::read_to_string(io::stdin()).map(String::into_bytes)
    } else {
        fs::read(file)
    };
    let bytes = bytes.with_context(|| format!("read {}", file.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim_start_matches('\u{feff}').trim_start().to_owned())
}

/// The answer of the upstream in the text of `curl -i` or `curl -v`.
pub(super) fn upstream(file: &Path) -> anyhow::Result<Answer> {
    let read = transcript::read(&text(file)?).map(|it| of_both(it, &Asked::default()).request);
    let answer = read.with_context(|| file.display().to_string())?;
    answer.with_context(|| format!("{}: there is no answer to a request", file.display()))
}

/// The first answer to `OPTIONS` and the last one to the request, up to a redirect: what is asked behind it has a URL of its own. Without a method, an answer is one to the request: no status and no header
/// belongs to preflights alone.
fn of_both(transcript: Transcript, asked: &Asked) -> Captured {
    let Transcript { exchanges, failure } = transcript;
    let mut captured = Captured { diagnoses: failure.into_iter().collect(), ..Captured::default() };
    let mut method = asked.method.clone();
    let asks_options = method.as_deref() == Some("OPTIONS");
    for Exchange { method: of_line, asks, answer } in exchanges {
        if of_line.as_deref() == Some("OPTIONS") && (asks.is_some() || !asks_options) {
            method = method.or(asks);
            captured.preflight.get_or_insert(answer);
            continue;
        }
        method = method.or_else(|| of_line.clone());
        let is_asked = match (&of_line, &method) {
            (Some(of_line), Some(method)) => of_line.eq_ignore_ascii_case(method),
            _ => true,
        };
        let is_redirect = |it: &Answer| Diagnosis::location(it).is_some();
        if is_asked && !captured.request.as_ref().is_some_and(is_redirect) {
            captured.request = Some(answer);
        }
    }
    captured.asked.method = method;
    captured
}

// === impl Captured ===

impl Captured {
    /// Adds the answer of `--preflight`: the first one to `OPTIONS`, or the first one without a method.
    fn add_preflight(&mut self, text: &str) -> anyhow::Result<()> {
        if text.starts_with('{') {
            bail!("a HAR has both answers: give it as `--response`");
        }
        let Transcript { exchanges, failure } = transcript::read(text)?;
        let is_meant = |it: &Exchange| it.method.as_deref().is_none_or(|it| it == "OPTIONS");
        match exchanges.into_iter().find(is_meant) {
            Some(Exchange { method: _, asks, answer }) => {
                self.asked.method = self.asked.method.take().or(asks);
                self.preflight = Some(answer);
            }
            None if failure.is_none() => bail!("there is no answer to `OPTIONS`"),
            None => {}
        }
        let new = failure.into_iter().filter(|it| !self.diagnoses.contains(it));
        let new: Vec<Diagnosis> = new.collect();
        self.diagnoses.extend(new);
        Ok(())
    }
}
