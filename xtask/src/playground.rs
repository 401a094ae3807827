//! `cargo xtask playground`: a page that runs `corsward check` and `corsward explain` in a browser, as one file.
//!
//! ```text
//! cargo build (corsward, for WASI) --> gzip, base64 ----+
//! cli/playground (shell, style, scripts) ---------------+--> docs/playground.html
//! examples, docs/findings.md, cli/playground/*.yaml ----+
//! ```

mod menus;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use crate::{build, paths, tar_gz, wasm};

/// The page.
const PAGE: &str = "docs/playground.html";

/// The folder of its sources.
const SOURCES: &str = "cli/playground";

/// The largest page that may be committed.
const BUDGET: usize = 2048 * 1024;

/// The command line, as the page holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    /// The digest of what cargo built.
    made_from: String,
    /// Compressed, in the letters of base64.
    text: String,
}

/// Writes the page, and says where it is.
///
/// # Errors
///
/// Fails if a tool cannot be had, the command does not compile, or the page is too large.
pub fn run() -> Result<()> {
    let place = path();
    let committed = fs::read_to_string(&place).unwrap_or_default();
    let module = Module::build(Module::of(&committed))?;
    let page = page(&module)?;
    ensure!(page.len() <= BUDGET, "the page has {} bytes, and {BUDGET} at most", page.len());
    fs::write(&place, &page).with_context(|| format!("write {}", place.display()))?;
    println!("{}: {} bytes", place.display(), page.len());
    println!("file://{}", place.display());
    Ok(())
}

/// The path of the page.
pub fn path() -> PathBuf {
    paths::root().join(PAGE)
}

/// The page with that module.
fn page(module: &Module) -> Result<String> {
    let style = source("style.css")?;
    let script = format!("{}\n{}", source("wasi.js")?, source("page.js")?);
    // Nothing is loaded, and nothing else runs: the page needs WebAssembly, and an icon.
    let csp = [
        "default-src 'none'",
        &format!("script-src 'sha256-{}' 'wasm-unsafe-eval'", digest(script.as_bytes())),
        &format!("style-src 'sha256-{}'", digest(style.as_bytes())),
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    .join("; ");
    let data = packed(menus::data()?.to_string().as_bytes())?;
    filled(
        &source("index.html")?,
        &[
            ("csp", &csp),
            ("style", &style),
            ("data", &data),
            ("made-from", &module.made_from),
            ("module", &module.text),
            ("script", &script),
        ],
    )
}

/// A template with its places, such as `{{style}}`, filled.
fn filled(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut pieces = template.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").context("a place of the template is open")?;
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            bail!("nothing is known of the place `{name}` of the template");
        };
        text.push_str(value);
        text.push_str(rest);
    }
    Ok(text)
}

/// A file of the page's sources.
fn source(name: &str) -> Result<String> {
    read(&format!("{SOURCES}/{name}"))
}

/// A file of the repository.
fn read(path: &str) -> Result<String> {
    fs::read_to_string(paths::root().join(path)).with_context(|| format!("read {path}"))
}

/// Compressed bytes, in the letters of base64: the same bytes always make the same text.
fn packed(bytes: &[u8]) -> Result<String> {
    Ok(BASE64_STANDARD.encode(tar_gz::packed(bytes)?))
}

fn digest(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(bytes))
}

// === impl Module ===

impl Module {
    /// The module of a page.
    fn of(page: &str) -> Option<Self> {
        let (_, after) = page.split_once("id=\"module\" data-made-from=\"")?;
        let (made_from, after) = after.split_once("\">")?;
        let (text, _) = after.split_once("</script>")?;
        Some(Self { made_from: made_from.to_owned(), text: text.to_owned() })
    }

    /// Compiles the command; where cargo builds what `former` was made from, that is kept.
    fn build(former: Option<Self>) -> Result<Self> {
        let mut cargo = wasm::cargo()?;
        cargo.args(["-p", "corsward-cli", "--bin", "corsward"]);
        let built = fs::read(build::artifact(&mut cargo, "corsward.wasm")?)?;
        let made_from = digest(&built);
        if let Some(former) = former.filter(|former| former.made_from == made_from) {
            return Ok(former);
        }
        // The module stays as cargo builds it: wasm-opt would take minutes to save a fiftieth of the packed bytes.
        wasm::names_no_machine(&built)?;
        println!("the module: {} bytes", built.len());
        Ok(Self { made_from, text: packed(&built)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_made_of_the_committed_sources() {
        let committed = fs::read_to_string(path()).unwrap();
        let module = Module::of(&committed).unwrap();
        assert!(module.text.len() > 100_000, "{} bytes of a module", module.text.len());
        let wanted = page(&module).unwrap();
        // The module stays: a change of the shell needs no compiler.
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path(), &wanted).unwrap();
        }
        assert!(wanted == committed, "{PAGE} is out of date: run `cargo xtask playground`");
        assert!(committed.len() <= BUDGET, "{} bytes", committed.len());
    }

    #[test]
    fn a_template_is_filled_once_and_a_name_that_is_unknown_is_named() {
        let values = [("a", "{{b}}"), ("b", "c")];
        assert_eq!(filled("x{{a}}y{{b}}z", &values).unwrap(), "x{{b}}ycz");
        assert!(filled("{{d}}", &values).unwrap_err().to_string().contains("`d`"));
        assert!(filled("{{a", &values).is_err());
    }
}
