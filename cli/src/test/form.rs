//! Form: the fields of a test file. A fault of a file is an error with the line, the field and the fix.

use anyhow::{Context as _, anyhow, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;
use strum::VariantNames as _;

use super::suite::{ApiVersion, FILE_NAME, Kind, PageResult, Reason};
use crate::explain::Credentials;
use crate::explain::asked::{origin_of, url_of};
use crate::policies::ProxyTarget;
use crate::yaml_text::{self, Content, Field, Node};

/// What stands at a place.
enum Form {
    /// A text.
    Text,
    /// A text that is read further.
    Read(fn(&str) -> anyhow::Result<()>),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A truth value.
    Truth,
    /// Texts by their names.
    Texts,
    /// A list.
    List(&'static Form),
    /// A mapping with these fields.
    Fields(&'static [(&'static str, Need, Form)]),
}

/// Must the field be there?
enum Need {
    Optional,
    /// It must, as in this example.
    Required(&'static str),
}

use Need::{Optional, Required};

const FILE: Form = Form::Fields(&[
    (
        "apiVersion",
        Required("apiVersion: cli.corsward.io/v1alpha1"),
        Form::Word(ApiVersion::VARIANTS),
    ),
    ("kind", Required("kind: Test"), Form::Word(Kind::VARIANTS)),
    (
        "metadata",
        Required("metadata: {name: shop}"),
        Form::Fields(&[("name", Required("name: shop"), Form::Text)]),
    ),
    ("policies", Required("policies: [corspolicy.yaml]"), Form::List(&Form::Text)),
    ("oneProxy", Optional, Form::Truth),
    ("results", Required("results: [{name: …, origin: …, url: …, result: …}]"), RESULTS),
]);

const RESULTS: Form = Form::List(&Form::Fields(&[
    ("name", Required("name: the shop reads"), Form::Text),
    ("target", Optional, Form::Read(|text| text.parse::<ProxyTarget>().map(drop))),
    ("origin", Required("origin: https://app.example"), Form::Read(|it| origin_of(it).map(drop))),
    ("url", Required("url: https://api.example/items"), Form::Read(|it| url_of(it).map(drop))),
    ("method", Optional, Form::Text),
    ("headers", Optional, Form::Texts),
    ("credentials", Optional, Form::Word(Credentials::VARIANTS)),
    ("result", Required("result: allowed"), Form::Word(PageResult::VARIANTS)),
    ("reason", Optional, Form::Word(Reason::VARIANTS)),
    ("policy", Optional, Form::Text),
]));

/// Words that stand for a truth value.
const TRUTH: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];
/// Texts that stand for nothing where they are not in quotes.
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// Reads a value of YAML.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        // An excerpt of the text follows.
        let fault = error.lines().next().unwrap_or_default().trim_start_matches("error: ");
        anyhow!("{fault}; `corsward test --help` shows a test file")
    })
}

/// Checks the text of a file against the form.
pub(super) fn check(text: &str) -> anyhow::Result<()> {
    let Some(documents) = yaml_text::objects(text) else {
        return read::<Value>(text).map(drop).context("the file is not YAML");
    };
    match documents.as_slice() {
        [] => bail!("the file is empty: `corsward test --help` shows what stands in a {FILE_NAME}"),
        [file] => (Check { text }).fits(file, &FILE, ""),
        [_, second, ..] => (Check { text }).fail(
            second,
            "",
            "a second document begins: write it into a file of its own",
        ),
    }
}

/// The check of one text.
struct Check<'t> {
    text: &'t str,
}

// === impl Check ===

impl Check<'_> {
    /// An error about a value, with its line and its field.
    fn fail(&self, node: &Node, path: &str, fault: impl std::fmt::Display) -> anyhow::Result<()> {
        let before = self.text.get(..node.span.start).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let field = if path.is_empty() { String::new() } else { format!("{path}: ") };
        bail!("line {line}: {field}{fault}")
    }

    /// Does the value have that form? An alias stands for a value that is checked in its own place.
    fn fits(&self, node: &Node, form: &Form, path: &str) -> anyhow::Result<()> {
        match (form, &node.content) {
            (_, Content::Alias) => Ok(()),
            (Form::Fields(known), Content::Mapping { fields, .. }) => {
                self.has_fields(node, fields, known, path)
            }
            (Form::Fields(known), _) => {
                self.fail(node, path, format_args!("write a mapping with {}", names(known)))
            }
            (Form::List(each), Content::List { entries, .. }) => {
                let mut entries = entries.iter().enumerate();
                entries.try_for_each(|(at, it)| self.fits(it, each, &format!("{path}[{at}]")))
            }
            (Form::List(_), _) => {
                self.fail(node, path, "write a list: each entry behind `- `, or all in `[…]`")
            }
            (Form::Texts, Content::Mapping { fields, .. }) => {
                let mut fields = fields.iter();
                let at = |name: &str| format!("{path}.{name}");
                fields.try_for_each(|it| self.fits(&it.value, &Form::Text, &at(&it.name)))
            }
            (Form::Texts, _) => self.fail(
                node,
                path,
                "write a mapping of names to values, such as `{content-type: application/json}`",
            ),
            (form, Content::Scalar(text)) => self.is_text(node, text, form, path),
            _ => self.fail(node, path, "write one text"),
        }
    }

    fn is_text(&self, node: &Node, text: &str, form: &Form, path: &str) -> anyhow::Result<()> {
        let written = self.text.get(node.span.clone()).unwrap_or_default();
        if NULL.contains(&written) {
            return match written {
                "" => self.fail(node, path, "there is no value: write one, or leave the field out"),
                null => self.fail(
                    node,
                    path,
                    format_args!("`{null}` without quotes is no text: write `\"{null}\"`"),
                ),
            };
        }
        match form {
            Form::Word(known) if !known.contains(&text) => {
                let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
                self.fail(node, path, format_args!("`{text}` is unknown: write {}", one_of(&known)))
            }
            Form::Truth if !TRUTH.contains(&&*text.to_ascii_lowercase()) => self.fail(
                node,
                path,
                format_args!("`{text}` is no truth value: write `true` or `false`"),
            ),
            Form::Read(read) => match read(text) {
                Ok(()) => Ok(()),
                Err(error) => self.fail(node, path, format_args!("{error:#}")),
            },
            _ => Ok(()),
        }
    }

    fn has_fields(
        &self,
        node: &Node,
        fields: &[Field],
        known: &[(&str, Need, Form)],
        path: &str,
    ) -> anyhow::Result<()> {
        let join =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for (at, Field { key, name, value }) in fields.iter().enumerate() {
            // A merge key brings fields from elsewhere.
            if name == "<<" {
                return Ok(());
            }
            let place = Node { span: key.clone(), content: Content::Alias };
            let is_again = fields.iter().take(at).any(|other| other.name == *name);
            match known.iter().find(|(known, ..)| known == name) {
                _ if is_again => {
                    self.fail(&place, &join(name), "the field is there twice: remove one of them")?;
                }
                Some((.., form)) => self.fits(value, form, &join(name))?,
                None => self.fail(
                    &place,
                    &join(name),
                    format_args!("`{name}` is no field: write {}, or remove it", names(known)),
                )?,
            }
        }
        let is_missing = |name: &str| fields.iter().all(|field| field.name != name);
        for (name, need, _) in known {
            if let Required(example) = need
                && is_missing(name)
            {
                let fault = format_args!("the field is missing: write it, such as `{example}`");
                self.fail(node, &join(name), fault)?;
            }
        }
        Ok(())
    }
}

/// The names of fields, in words.
fn names(known: &[(&str, Need, Form)]) -> String {
    one_of(&known.iter().map(|(name, ..)| format!("`{name}`")).collect::<Vec<_>>())
}

fn one_of(words: &[String]) -> String {
    match words {
        [word] => word.clone(),
        words => format!("one of {}", words.join(", ")),
    }
}
