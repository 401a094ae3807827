//! The docker engine's command line, and images that are made here.

use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::{fs, io};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::fingerprint::Fingerprint;
use crate::{command, paths};

/// Label with an image's fingerprint.
const LABEL: &str = "corsward.fingerprint";

/// Whether an engine answers.
pub fn answers() -> bool {
    let mut version = cli(&["version"]);
    version.stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// A `docker` command.
pub fn cli(args: &[&str]) -> Command {
    let mut docker = Command::new("docker");
    docker.args(args);
    docker
}

/// The engine's answer about an image or container, in a Go template; nothing if none has that name.
pub fn inspect(kind: &str, name: &str, template: &str) -> Option<String> {
    let said = cli(&[kind, "inspect", "--format", template, name]).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    said.status.success().then(|| text.trim().to_owned())
}

/// An image that is made here, and made again when what it is made of changes.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its repository and tag.
    pub name: String,
    /// The fingerprint of its sources.
    pub made_of: Fingerprint,
}

/// The build context of an image: a folder that is removed on drop. It is in the cache, beside most of its files, so that
/// they need no copy.
#[derive(Debug)]
pub struct Context(TempDir);

// === impl Context ===

impl Context {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be made.
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix(".context-").tempdir_in(paths::cache())?))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a file into it, under the name that it has.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn put(&self, file: &Path) -> Result<()> {
        let name = file.file_name().context("a file has a name")?;
        self.put_as(Path::new(name), file)
    }

    /// Puts a file into it, under a different name.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn put_as(&self, name: &Path, file: &Path) -> Result<()> {
        let place = self.path().join(name);
        fs::hard_link(file, &place)
            .or_else(|_| fs::copy(file, &place).map(drop))
            .with_context(|| format!("cannot copy {}", file.display()))
    }
}

// === impl Image ===

impl Image {
    /// Whether the engine has it, as it would be made now.
    pub fn is_made(&self) -> bool {
        let template = format!(r#"{{{{ index .Config.Labels "{LABEL}" }}}}"#);
        inspect("image", &self.name, &template) == Some(self.made_of.to_string())
    }

    /// Makes it of a folder with a Dockerfile. `args` are more of `docker build`'s.
    ///
    /// # Errors
    ///
    /// Fails if docker cannot; the log says all that it said.
    pub fn build(&self, context: &Context, args: &[&str], log: &Path) -> Result<()> {
        let mut build = cli(&["build", "--tag", &self.name, "--label", &self.label()]);
        build.args(args).arg(context.path());
        command::log(&format!("building {}", self.name), &mut build, log)
    }

    /// Makes it of the archive of a file system that `write` writes. `changes` are lines of a Dockerfile.
    ///
    /// # Errors
    ///
    /// Fails if docker or `write` cannot.
    pub fn import(
        &self,
        changes: &[&str],
        write: impl FnOnce(ChildStdin) -> Result<()>,
    ) -> Result<()> {
        let mut import = cli(&["import", "--change", &format!("LABEL {}", self.label())]);
        for change in changes {
            import.args(["--change", change]);
        }
        import.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = import.spawn().context("`docker import` did not start")?;
        let stdin = child.stdin.take().context("its input is a pipe")?;
        let written = write(stdin);
        let done = child.wait_with_output()?;
        written.with_context(|| format!("cannot make {}", self.name))?;
        ensure!(done.status.success(), "`{}` failed ({})", command::shown(&import), done.status);
        // Only what is whole gets the name: docker takes half an archive for an image too.
        let id = String::from_utf8(done.stdout)?;
        command::read(&mut cli(&["tag", id.trim(), &self.name])).map(drop)
    }

    /// Makes it of one program and nothing else.
    ///
    /// # Errors
    ///
    /// Fails if docker cannot, or the program cannot be read.
    pub fn of_program(&self, program: &Path, changes: &[&str]) -> Result<()> {
        let name = program.file_name().context("a program has a name")?;
        self.import(changes, |stdin| {
            let mut archive = tar::Builder::new(io::BufWriter::new(stdin));
            let mut scratch = tar::Header::new_gnu();
            scratch.set_entry_type(tar::EntryType::Directory);
            scratch.set_mode(0o1777);
            scratch.set_size(0);
            archive.append_data(&mut scratch, "tmp/", io::empty())?;
            archive.append_path_with_name(program, Path::new("usr/local/bin").join(name))?;
            archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok(())
        })
    }

    fn label(&self) -> String {
        format!("{LABEL}={}", self.made_of)
    }
}
