//! Archive: files in memory, an index of them, and their compressed form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::output::OneLine;

/// The folder of all files.
const ROOT: &str = "corsward-support";
const INDEX: &str = "index.txt";

/// What no archive has, whatever the cluster holds.
const NEVER: &str = "\
Never in it:
  Secrets: they are not read.
  Values of environment variables of the operator's containers: `[left out]` stands for each.
  Origins in logs and metrics: `[origin]` stands for each. Policies, origin sets and published objects keep the origins that they name.
  Annotations of the operator's own objects, managed fields, and the bytes of modules.
  Logs of proxies and applications.
";

/// Files of an archive.
#[derive(Debug, Default)]
pub(super) struct Archive {
    files: BTreeMap<String, Vec<u8>>,
    failures: Vec<String>,
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the files of an archive have the time of it")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The path with the characters of names of Kubernetes alone: no name leads out of the folder where the archive is unpacked.
fn within(path: &str) -> String {
    let segment = |segment: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let plain = |c: char| if is_plain(c) { c } else { '_' };
        match segment {
            "" | "." | ".." => "_".to_owned(),
            segment => segment.chars().map(plain).collect(),
        }
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

// === impl Archive ===

impl Archive {
    pub(super) fn add(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(within(path), bytes);
    }

    /// Notes a file that could not be made.
    pub(super) fn fail(&mut self, path: &str, why: &str) {
        self.failures.push(format!("{path}: {why}"));
    }

    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// The number of files, the index among them.
    pub(super) fn len(&self) -> usize {
        self.files.len().saturating_add(1)
    }

    fn index(&self) -> String {
        let mut index = format!("corsward {}\n\nFiles:\n", env!("CARGO_PKG_VERSION"));
        for (path, bytes) in &self.files {
            // A String takes all that is written.
            let _ = writeln!(index, "  {path}  {} bytes", bytes.len());
        }
        let _ = write!(index, "\n{NEVER}");
        if !self.failures.is_empty() {
            let _ = writeln!(index, "\nLeft out of this archive:");
        }
        for failure in &self.failures {
            let _ = writeln!(index, "  {}", OneLine(failure));
        }
        index
    }

    /// Writes it, the index first.
    pub(super) fn write(&self, out: impl Write) -> io::Result<()> {
        let now = now();
        let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::default()));
        let index = self.index().into_bytes();
        let files = self.files.iter().map(|(path, bytes)| (path.as_str(), bytes));
        for (path, bytes) in [(INDEX, &index)].into_iter().chain(files) {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(bytes.len()).unwrap_or_default());
            header.set_mode(0o644);
            header.set_mtime(now);
            tar.append_data(&mut header, format!("{ROOT}/{path}"), bytes.as_slice())?;
        }
        tar.into_inner()?.finish()?.flush()
    }
}
