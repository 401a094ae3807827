//! Manifest: a policy as YAML, with its remarks as comments.

use std::fmt::Write as _;

use corsward_api::v1alpha1 as api;
use corsward_policy::draft::PolicyId;

use crate::one_line::{one_line, quoted};
use crate::settings::Note;

/// Writes a policy; where it does not fit a line, a comment has several.
const WIDTH: usize = 110;

/// Writes the policy `id`.
pub(crate) fn write(
    id: &PolicyId,
    spec: &api::CorsPolicySpec,
    notes: &[Note],
    from: &str,
) -> String {
    let mut text = String::new();
    comment(&mut text, "", &format!("Imported from {from}."));
    for note in notes.iter().filter(|note| note.field.is_empty()) {
        comment(&mut text, "", &note.to_string());
    }
    let PolicyId { namespace, name } = id;
    let (namespace, name) = (scalar(namespace), scalar(name));
    text.push_str("apiVersion: corsward.io/v1alpha1\nkind: CorsPolicy\nmetadata:\n");
    let _ = writeln!(text, "  namespace: {namespace}\n  name: {name}\nspec:");
    list(&mut text, "  ", "hostnames", &spec.hostnames);
    let mut notes: Vec<&Note> = notes.iter().filter(|note| !note.field.is_empty()).collect();
    if let Some(block) = &spec.cors {
        text.push_str("  cors:\n");
        cors(&mut text, "    ", block, &mut notes);
    }
    if spec.preflight.success_status != api::Preflight::default().success_status {
        let _ =
            writeln!(text, "  preflight:\n    successStatus: {}", spec.preflight.success_status);
    }
    if spec.disallowed_requests == api::DisallowedRequests::Reject {
        text.push_str("  disallowedRequests: Reject\n");
    }
    if !spec.rules.is_empty() {
        text.push_str("  rules:\n");
    }
    for rule in &spec.rules {
        let kind = match rule.path.kind {
            api::PathType::Exact => "Exact",
            api::PathType::PathPrefix => "PathPrefix",
        };
        let value = scalar(&rule.path.value);
        let _ = writeln!(text, "  - path: {{type: {kind}, value: {value}}}");
        match &rule.cors {
            Some(block) => {
                text.push_str("    cors:\n");
                cors(&mut text, "      ", block, &mut notes);
            }
            None => text.push_str("    mode: \"Off\"\n"),
        }
    }
    text
}

fn cors(text: &mut String, indent: &str, cors: &api::Cors, notes: &mut Vec<&Note>) {
    let mut remarks = |text: &mut String, field: &str| {
        let (about, rest): (Vec<&Note>, Vec<&Note>) =
            notes.iter().copied().partition(|note| note.field == field);
        for note in about {
            comment(text, indent, &note.to_string());
        }
        *notes = rest;
    };
    for (name, items) in [
        ("allowOrigins", &cors.allow_origins),
        ("allowOriginRegexes", &cors.allow_origin_regexes),
        ("allowMethods", &cors.allow_methods),
        ("allowHeaders", &cors.allow_headers),
        ("exposeHeaders", &cors.expose_headers),
    ] {
        remarks(text, name);
        // A block says by an empty list that it allows no origin.
        let is_empty = cors.allow_origins.is_empty() && cors.allow_origin_regexes.is_empty();
        if name == "allowOrigins" && is_empty {
            let _ = writeln!(text, "{indent}allowOrigins: []");
        }
        list(text, indent, name, items);
    }
    remarks(text, "allowCredentials");
    if cors.allow_credentials {
        let _ = writeln!(text, "{indent}allowCredentials: true");
    }
    remarks(text, "maxAge");
    if let Some(age) = cors.max_age {
        let _ = writeln!(text, "{indent}maxAge: {age}");
    }
}

fn list(text: &mut String, indent: &str, name: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "{indent}{name}:");
    for item in items {
        let _ = writeln!(text, "{indent}- {}", scalar(item));
    }
}

/// A text as YAML 1.1 and 1.2 read it alike: bare where it is a word, and quoted otherwise.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-./:_".contains(c))
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_bare { text.to_owned() } else { quoted(text) }
}

fn comment(text: &mut String, indent: &str, remark: &str) {
    let mut line = format!("{indent}#");
    for word in one_line(remark).split_whitespace() {
        if line.len().saturating_add(word.len()) > WIDTH && line.trim() != "#" {
            text.push_str(&line);
            text.push('\n');
            line = format!("{indent}#  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
