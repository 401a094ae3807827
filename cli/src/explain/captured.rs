//! Captured answers: the text of `curl -i` or `curl -v`, or a HAR that a browser exports.

mod har;
mod transcript;

use std::path::Path;
use std::{fs, io};

use anyhow::Context as _;

use super::asked::Asked;
use super::diagnosis::Diagnosis;
use super::reply::Answer;

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

/// Reads a file, or standard input for `-`; `url` chooses among the requests of a HAR.
pub(super) fn read(file: &Path, url: Option<&str>) -> anyhow::Result<Captured> {
    let bytes = if file == Path::new("-") {
        io::read_to_string(io::stdin()).map(String::into_bytes)
    } else {
        fs::read(file)
    };
    let bytes = bytes.with_context(|| format!("read {}", file.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let captured =
        if text.starts_with('{') { har::read(text, url) } else { transcript::read(text) };
    captured.with_context(|| file.display().to_string())
}
