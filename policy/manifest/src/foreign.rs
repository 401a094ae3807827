//! Foreign: what is written as other systems have it, in this resource's words.

mod words;

use std::collections::BTreeMap;

use corsward_policy::draft::PathType;
use corsward_policy::finding::Written;
use corsward_policy::header_line;
use corsward_policy::path_syntax::{self, PathSyntax};
use corsward_policy::pattern::OriginPattern;
use corsward_policy::scope::PathMatch;
use corsward_policy::syntax::pieces;
use corsward_policy::validate;
use serde_json::{Map, Value};

use crate::knowledge::FullKnowledge;
use words::{ADVICE, FIELDS, REFLECTIONS, WORDS};

/// The field of a `cors` block that other systems call `name`. An annotation's prefix says nothing.
pub(crate) fn field(name: &str) -> Option<&'static str> {
    let folded = fold(name.rsplit('/').next().unwrap_or(name));
    FIELDS.iter().find(|(_, names)| names.contains(&folded.as_str())).map(|(field, _)| *field)
}

/// The word that stands in `field` for what is written there.
pub(crate) fn word(field: &str, written: &str) -> Option<&'static str> {
    let folded = fold(written);
    if let Ok(400..=599) = folded.parse::<u16>()
        && matches!(leaf(field), "onFailure" | "disallowedRequests")
    {
        return Some("Reject");
    }
    let is_it = |(of, _, words): &&(&str, &str, &[&str])| {
        *of == leaf(field) && words.contains(&folded.as_str())
    };
    WORDS.iter().find(is_it).map(|(_, word, _)| *word)
}

/// Advice for a text of `field` that no word stands for.
pub(crate) fn advice(field: &str, written: &str) -> Option<&'static str> {
    let folded = fold(written);
    let is_it = |(of, _, words): &&(&str, &str, &[&str])| {
        *of == leaf(field) && words.contains(&folded.as_str())
    };
    ADVICE.iter().find(is_it).map(|(_, advice, _)| *advice)
}

/// The intended value in the place of one of the type `expected`.
pub(crate) fn instead(expected: &str, field: &str, value: &Value) -> Option<Written> {
    // A line that sets the header of that field.
    let line = value.as_str().and_then(header_line::read);
    let own = line.filter(|(name, _)| self::field(name) == Some(leaf(field)));
    let own = own.map(|(_, value)| Value::from(value));
    match (expected, own.as_ref().unwrap_or(value)) {
        // Its digits may not be those that were written.
        ("string", Value::Number(number)) if number.is_f64() => None,
        ("string", Value::Bool(_) | Value::Number(_)) => {
            string(field, &value.to_string()).map(Written::Text)
        }
        ("string", Value::Array(entries)) => match entries.as_slice() {
            [Value::String(text)] => Some(Written::text(text.as_str())),
            _ => None,
        },
        ("integer", Value::String(text)) => whole(field, text).map(Written::Number),
        ("integer", Value::Number(number)) => {
            let whole: i64 = number.to_string().strip_suffix(".0")?.parse().ok()?;
            let fits = match leaf(field) {
                "successStatus" => matches!(whole, 200 | 204),
                _ => i32::try_from(whole).is_ok_and(|whole| whole >= 0),
            };
            fits.then_some(Written::Number(whole))
        }
        ("integer", Value::Object(fields)) => fields.get("seconds")?.as_i64().map(Written::Number),
        ("boolean", Value::String(text)) => {
            truth(text).or_else(|| credentials(field, text)).map(Written::Truth)
        }
        ("boolean", Value::Array(entries)) => match entries.as_slice() {
            [Value::Bool(truth)] => Some(Written::Truth(*truth)),
            _ => None,
        },
        ("boolean", Value::Number(number)) => match number.as_i64() {
            Some(0) => Some(Written::Truth(false)),
            Some(1) => Some(Written::Truth(true)),
            _ => None,
        },
        ("boolean", Value::Object(fields)) => fields.get("value")?.as_bool().map(Written::Truth),
        ("array", value) => list(field, value),
        ("object", value) => mapping(field, value),
        _ => None,
    }
}

/// The intended list in the place of a value.
fn list(field: &str, value: &Value) -> Option<Written> {
    match (leaf(field), value) {
        // They are lists of mappings.
        ("targetRefs" | "rules" | "allowOriginsFrom" | "matchExpressions", Value::Object(_)) => {
            Some(Written::Listed)
        }
        ("targetRefs" | "rules" | "allowOriginsFrom", Value::String(text)) => {
            let entry = mapping(&format!("{field}[0]"), &Value::from(text.as_str()))?;
            Some(Written::List(vec![entry]))
        }
        // A comma may be a regex's own.
        ("allowOriginRegexes", Value::String(text)) => Some(Written::texts([text.as_str()])),
        ("allowOrigins" | "trustedOrigins" | "origins", Value::String(text)) => {
            let texts: Option<Vec<String>> = pieces(text).map(origin).collect();
            Some(Written::texts(texts?))
        }
        ("allowMethods" | "allowHeaders" | "exposeHeaders", Value::String(text))
            if matches!(fold(text).as_str(), "all" | "any") =>
        {
            Some(Written::texts(["*"]))
        }
        // A header as it is sent.
        ("allowHeaders" | "exposeHeaders", Value::String(text)) if text.contains(':') => {
            let name = text.split(':').next().unwrap_or(text);
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let is_one = is_name && text.matches(':').count() == 1;
            Some(Written::texts([if is_one { name } else { text }]))
        }
        (_, Value::String(text)) => Some(Written::texts(pieces(text))),
        (_, Value::Number(number)) => Some(Written::texts([string(field, &number.to_string())?])),
        ("allowMethods" | "allowHeaders" | "exposeHeaders", Value::Bool(true)) => {
            Some(Written::texts(["*"]))
        }
        (_, Value::Object(entry)) => match Match::of(field, entry)?.entry? {
            (None, value) => Some(Written::List(vec![value])),
            (Some(_), _) => None,
        },
        _ => None,
    }
}

/// The origin that is meant by a text, as a finding about an entry of a list would have it.
fn origin(text: &str) -> Option<String> {
    if OriginPattern::parse(text).is_ok() {
        return Some(text.to_owned());
    }
    match validate::meant_origins(text, &FullKnowledge).as_slice() {
        [meant] => Some(meant.clone()),
        _ => None,
    }
}

/// A credentials mode of the Fetch standard, in the place of whether credentials are allowed.
fn credentials(field: &str, text: &str) -> Option<bool> {
    match (leaf(field), fold(text).as_str()) {
        ("allowCredentials", "include") => Some(true),
        ("allowCredentials", "omit" | "sameorigin") => Some(false),
        _ => None,
    }
}

/// The intended mapping in the place of a value.
fn mapping(field: &str, value: &Value) -> Option<Written> {
    let of = |name: &str, value: Written| (name.to_owned(), value);
    let text = match (leaf(field), value) {
        ("cors", Value::Array(entries)) => {
            let texts: Option<Vec<&str>> = entries.iter().map(Value::as_str).collect();
            let origins = Written::texts(texts.filter(|texts| !texts.is_empty())?);
            return Some(Written::Mapping(vec![of("allowOrigins", origins)]));
        }
        (_, Value::String(text)) => text,
        _ => return None,
    };
    let written = match leaf(field) {
        "path" => path(&literal_path(text)?),
        "cors" => block_of_lines(field, text).unwrap_or_else(|| {
            Written::Mapping(vec![of("allowOrigins", Written::texts(pieces(text)))])
        }),
        "preflight" => {
            let word = ["Explain", "Reject", "Ignore", "Forward"]
                .into_iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .or_else(|| word("onFailure", text))?;
            Written::Mapping(vec![of("onFailure", Written::text(word))])
        }
        "selector" | "matchLabels" | "namespaceSelector" => {
            let labels: Option<Vec<_>> = pieces(text)
                .map(|label| label.split_once('='))
                .map(|label| {
                    label.map(|(key, value)| of(key, Written::text(value.trim_start_matches('='))))
                })
                .collect();
            let labels = Written::Mapping(labels.filter(|labels| !labels.is_empty())?);
            match leaf(field) {
                "matchLabels" => labels,
                _ => Written::Mapping(vec![of("matchLabels", labels)]),
            }
        }
        "rules" if text.starts_with('/') => {
            Written::Mapping(vec![of("path", path(&literal_path(text)?))])
        }
        "allowOriginsFrom" => Written::Mapping(vec![
            of("kind", Written::text("OriginSet")),
            of("name", Written::text(text.as_str())),
        ]),
        "targetRefs" => Written::Mapping(vec![
            of("group", Written::text("")),
            of("kind", Written::text("Service")),
            of("name", Written::text(text.rsplit('/').next().unwrap_or(text))),
        ]),
        _ => return None,
    };
    Some(written)
}

/// The `cors` block of lines that set the headers of CORS; `None`: a line sets something else.
pub(crate) fn block_of_lines(block: &str, text: &str) -> Option<Written> {
    let lines = text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty());
    let fields: Option<BTreeMap<String, Written>> = lines
        .map(|line| {
            let (name, value) = header_line::read(line)?;
            let field = field(name)?;
            let value = of_header(&format!("{block}.{field}"), value)?;
            Some((field.to_owned(), value))
        })
        .collect();
    let fields = fields.filter(|fields| !fields.is_empty())?;
    Some(Written::Mapping(fields.into_iter().collect()))
}

/// The value of a field of a `cors` block in place of a header with that value.
pub(crate) fn of_header(field: &str, value: &str) -> Option<Written> {
    let expected = match leaf(field) {
        "maxAge" => "integer",
        "allowCredentials" => "boolean",
        _ => "array",
    };
    let value = Value::from(value);
    if reflects(field, &value) { None } else { instead(expected, field, &value) }
}

/// Does that value of a list of origins stand for the origin of each request?
pub(crate) fn reflects(field: &str, value: &Value) -> bool {
    match value {
        Value::Bool(is_any) => *is_any && is_of_origins(field),
        Value::String(text) => is_reflection(field, text),
        _ => false,
    }
}

/// The same for a text.
pub(crate) fn is_reflection(field: &str, text: &str) -> bool {
    const NAMES: [&str; 7] =
        ["origin", "origini", "origine", "httporigin", "httporigine", "reqorigin", "requestorigin"];
    const ENDS: [&str; 4] =
        ["headersorigin", "headerorigin", "headersgetorigin", "headergetorigin"];
    if !is_of_origins(field) || text.contains("://") {
        return false;
    }
    let folded = fold(text);
    // As nginx, Apache, Caddy, Kong and templates of code write it.
    let is_variable = text.contains(['$', '{', '%']);
    is_variable && NAMES.contains(&folded.as_str())
        || REFLECTIONS.contains(&folded.as_str())
        || ENDS.iter().any(|end| folded.ends_with(end))
}

/// Is that field a list of origins, or an entry of one?
fn is_of_origins(field: &str) -> bool {
    const LISTS: [&str; 4] = ["allowOrigins", "allowOriginRegexes", "origins", "allowedOrigins"];
    LISTS.contains(&leaf(field))
}

/// Does an entry of a list of origins match every origin?
pub(crate) fn is_every(entry: &Value) -> bool {
    match entry {
        Value::String(text) => matches!(text.as_str(), "*" | ".*" | "^.*$" | ".+" | "^.+$"),
        Value::Object(fields) => fields.iter().any(|(name, value)| match fold(name).as_str() {
            "prefix" | "suffix" | "contains" if value == "" => true,
            "exact" | "prefix" | "regex" | "value" | "saferegex" => is_every(value),
            _ => false,
        }),
        _ => false,
    }
}

/// The value, where all of it can be written.
pub(crate) fn written(value: &Value) -> Option<Written> {
    Some(match value {
        Value::String(text) => Written::text(text.as_str()),
        Value::Bool(truth) => Written::Truth(*truth),
        Value::Number(number) => Written::Number(number.as_i64()?),
        Value::Array(entries) => Written::List(entries.iter().map(written).collect::<Option<_>>()?),
        Value::Object(fields) => {
            let of = |(name, value): (&String, &Value)| Some((name.clone(), written(value)?));
            Written::Mapping(fields.iter().map(of).collect::<Option<_>>()?)
        }
        Value::Null => return None,
    })
}

/// The intended prefix of a path in any syntax, as a finding about a rule's path proposes it.
fn literal_path(text: &str) -> Option<String> {
    let path = match PathSyntax::of(text) {
        None if text.starts_with('/') => text.to_owned(),
        None if text.contains("://") => return None,
        None => format!("/{text}"),
        Some(_) => path_syntax::meant_prefix(text)?,
    };
    PathMatch::parse(PathType::PathPrefix, &path).is_ok().then_some(path)
}

/// A path with its type.
pub(crate) fn path(text: &str) -> Written {
    let kind = ("type".to_owned(), Written::text("PathPrefix"));
    Written::Mapping(vec![kind, ("value".to_owned(), Written::text(text))])
}

/// The lists of patterns of origins: of a policy, an `OriginSet` and a `ClusterCorsPolicy`.
const PATTERN_LISTS: [&str; 4] = ["allowOrigins", "trustedOrigins", "origins", "allowedOrigins"];

/// A match as Istio (`exact: …`), Envoy (`safe_regex: …`) and Envoy Gateway (`type: …, value: …`) write it.
#[derive(Debug)]
pub(crate) struct Match {
    /// The intended entry, and its list if that is a different one.
    pub(crate) entry: Option<(Option<&'static str>, Written)>,
    /// An origin of a different host that the match accepts too.
    pub(crate) accepts: Option<String>,
}

// === impl Match ===

impl Match {
    /// The match that stands in the place of an entry of the list `field`; `None`: it is none.
    pub(crate) fn of(field: &str, written: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| written.get(name).and_then(Value::as_str);
        let inner = |name: &str| written.get(name)?.get("regex")?.as_str();
        let (kind, value) = if let (Some(kind), Some(value)) = (text("type"), text("value")) {
            (fold(kind), value)
        } else if let Some(value) = inner("safeRegex").or_else(|| inner("safe_regex")) {
            ("regex".to_owned(), value)
        } else {
            let kinds = ["exact", "prefix", "suffix", "regex", "contains", "name", "value"];
            let (kind, value) = kinds.iter().find_map(|kind| Some((*kind, text(kind)?)))?;
            (kind.to_owned(), value)
        };
        let list = leaf(field);
        let takes_patterns = PATTERN_LISTS.contains(&list);
        let is_of_origins = takes_patterns || list == "allowOriginRegexes";
        let entry = match kind.as_str() {
            "exact" | "name" | "value" if list == "allowOriginRegexes" => {
                Some((Some("allowOrigins"), value.to_owned()))
            }
            "exact" | "name" | "value" => Some((None, value.to_owned())),
            "regex" | "regularexpression" | "saferegex" if list == "allowOriginRegexes" => {
                Some((None, value.to_owned()))
            }
            "regex" | "regularexpression" | "saferegex" if list == "allowOrigins" => {
                Some((Some("allowOriginRegexes"), value.to_owned()))
            }
            "prefix" if takes_patterns => of_prefix(value).map(|value| (None, value)),
            "suffix" if takes_patterns => {
                let pattern = value.strip_prefix('.').map(|domain| format!("https://*.{domain}"));
                pattern.filter(|pattern| is_pattern(pattern)).map(|pattern| (None, pattern))
            }
            _ => None,
        };
        let accepts = match kind.as_str() {
            "prefix" if is_of_origins => beyond_prefix(value),
            "suffix" if is_of_origins => beyond_suffix(value),
            _ => None,
        };
        Some(Self { entry: entry.map(|(list, value)| (list, Written::Text(value))), accepts })
    }
}

/// The pattern for the origins that the author of a prefix means; `None` where their hosts are not in the text.
fn of_prefix(prefix: &str) -> Option<String> {
    let (scheme, host) = prefix.split_once("://")?;
    let any_port = |host: &str| format!("{scheme}://{host}:*");
    let pattern = if host.is_empty() {
        format!("{scheme}://*")
    } else if let Some(block) = block_of_prefix(host) {
        any_port(&block)
    } else if let Some(host) = host.strip_suffix(':') {
        any_port(host)
    } else if let Some(host) = host.strip_suffix('/') {
        format!("{scheme}://{host}")
    } else if host.contains(':') && !host.ends_with(']') {
        prefix.to_owned()
    } else if host.contains('.') || host == "localhost" || host.ends_with(']') {
        any_port(host)
    } else {
        return None;
    };
    is_pattern(&pattern).then_some(pattern)
}

/// The block of the IPv4 addresses that begin with a text such as `192.168.`.
fn block_of_prefix(text: &str) -> Option<String> {
    let octets: Vec<u8> =
        text.strip_suffix('.')?.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    match octets.as_slice() {
        [a] => Some(format!("{a}.0.0.0/8")),
        [a, b] => Some(format!("{a}.{b}.0.0/16")),
        [a, b, c] => Some(format!("{a}.{b}.{c}.0/24")),
        _ => None,
    }
}

fn is_pattern(text: &str) -> bool {
    OriginPattern::parse(text).is_ok()
}

/// An origin of a different host that begins with `prefix`, which its author hardly intends.
fn beyond_prefix(prefix: &str) -> Option<String> {
    let (_, host) = prefix.split_once("://")?;
    let dot = if host.ends_with(['.', '-']) { "" } else { "." };
    let beyond = format!("{prefix}{dot}evil.example");
    let is_open = !host.is_empty() && !host.contains([':', '/']);
    Some(beyond).filter(|beyond| is_open && is_pattern(beyond))
}

/// An origin of a different host that ends with `suffix`, which its author hardly intends.
fn beyond_suffix(suffix: &str) -> Option<String> {
    let beyond = format!("https://evil{suffix}");
    let is_open = suffix.starts_with(|c: char| c.is_ascii_alphanumeric());
    Some(beyond).filter(|beyond| is_open && is_pattern(beyond))
}

/// A whole number, or a duration in seconds where the field takes those.
fn whole(field: &str, text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let is_duration = matches!(leaf(field), "maxAge" | "maxMaxAge");
        is_duration.then(|| seconds(text)).flatten()
    })
}

/// A duration of Go, of Envoy, of ISO 8601, or in words: `1h30m`, `1.5h`, `600s`, `P1D`, `PT10M`, `10 minutes`.
fn seconds(text: &str) -> Option<i64> {
    let is_days = |rest: &&str| rest.bytes().all(|it| it.is_ascii_digit() || b"DW".contains(&it));
    // In ISO 8601 a month and a minute are told apart by the `T`.
    let iso = text.strip_prefix("PT").or_else(|| text.strip_prefix('P').filter(is_days));
    let amounts = iso.unwrap_or(text);
    let mut rest = amounts;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, after) = rest.split_at_checked(end)?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let milliseconds = match unit.to_ascii_lowercase().as_str() {
            "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => 1,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            "w" | "wk" | "week" | "weeks" => 604_800_000,
            _ => return None,
        };
        total = times(amount, milliseconds)?.checked_add(total)?;
        rest = after.trim_start();
    }
    (!amounts.is_empty() && total.checked_rem(1_000) == Some(0))
        .then(|| total.checked_div(1_000))?
}

/// A decimal number of units, where it is a whole number of milliseconds.
fn times(amount: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<i64>().ok()?.checked_mul(unit)?;
    let part = if part.checked_rem(scale)? == 0 { part.checked_div(scale)? } else { return None };
    whole.parse::<i64>().ok()?.checked_mul(unit)?.checked_add(part)
}

/// The text of a number or a truth value, where that field takes such a text.
pub(crate) fn string(field: &str, text: &str) -> Option<String> {
    let is_alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let of = |others: &[u8], upper: bool| {
        let fits = |byte: &u8| {
            let is_alphanumeric = byte.is_ascii_alphanumeric();
            (is_alphanumeric && (upper || !byte.is_ascii_uppercase())) || others.contains(byte)
        };
        let bytes = text.as_bytes();
        bytes.iter().all(fits) && is_alphanumeric(bytes.first()) && is_alphanumeric(bytes.last())
    };
    let fits = match leaf(field) {
        "origins" | "allowOrigins" | "allowedOrigins" | "trustedOrigins" | "allowOriginRegexes"
        | "hostnames" | "value" | "group" | "kind" | "sectionName" => false,
        "namespace" => of(b"-", false),
        "name" => of(b"-.", false),
        _ => of(b"-_.", true),
    };
    fits.then(|| text.to_owned())
}

/// The truth values of YAML 1.1 and of common usage.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The last name of a field.
pub(crate) fn leaf(field: &str) -> &str {
    let field = field.rsplit_once('.').map_or(field, |(_, leaf)| leaf);
    field.split('[').next().unwrap_or(field)
}

/// A name in lower case, without separators.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_of_seconds() {
        for (text, want) in [
            ("24h", Some(86_400)),
            ("600s", Some(600)),
            ("10m", Some(600)),
            ("1h30m", Some(5_400)),
            ("24h0m0s", Some(86_400)),
            ("1d", Some(86_400)),
            ("10 minutes", Some(600)),
            ("PT1H", Some(3_600)),
            ("PT1H30M", Some(5_400)),
            ("P1M", None),
            (" 600 ", Some(600)),
            ("600", Some(600)),
            ("1500ms", None),
            ("1800000ms", Some(1_800)),
            ("1.5h", Some(5_400)),
            ("0.5m", Some(30)),
            ("1.23456s", None),
            ("1.h", None),
            (".5h", None),
            ("P1D", Some(86_400)),
            ("P1M3D", None),
            ("P", None),
            ("P2W", Some(1_209_600)),
            ("1w", Some(604_800)),
            ("h", None),
            ("", None),
            ("10", Some(10)),
            ("9223372036854775807h", None),
            ("a day", None),
        ] {
            assert_eq!(whole("spec.cors.maxAge", text), want, "{text}");
        }
        assert_eq!(whole("spec.preflight.successStatus", "204s"), None, "no duration");
    }

    #[test]
    fn lines_within_a_line_are_no_way_to_exhaust_the_stack() {
        let lines = Value::from("Access-Control-Allow-Origin: ".repeat(100_000));
        assert_eq!(instead("array", "spec.cors.allowOrigins", &lines), None);
    }

    #[test]
    fn a_prefix_is_the_pattern_for_the_origins_that_it_means() {
        for (prefix, want, accepts) in [
            (
                "https://a.example",
                Some("https://a.example:*"),
                Some("https://a.example.evil.example"),
            ),
            ("https://a.example/", Some("https://a.example"), None),
            ("https://a.example:", Some("https://a.example:*"), None),
            ("https://a.example:8443", Some("https://a.example:8443"), None),
            ("https://a.example/app", None, None),
            ("https://A b.example", None, None),
            ("https://", Some("https://*"), None),
            ("http://localhost", Some("http://localhost:*"), Some("http://localhost.evil.example")),
            (
                "http://192.168.",
                Some("http://192.168.0.0/16:*"),
                Some("http://192.168.evil.example"),
            ),
            ("http://[::1]", Some("http://[::1]:*"), None),
            ("https://staging-", None, Some("https://staging-evil.example")),
            ("https://a", None, Some("https://a.evil.example")),
            ("a.example", None, None),
            ("", None, None),
        ] {
            assert_eq!(of_prefix(prefix).as_deref(), want, "{prefix}");
            assert_eq!(beyond_prefix(prefix).as_deref(), accepts, "{prefix}");
        }
        assert_eq!(beyond_suffix("a.example").as_deref(), Some("https://evila.example"));
        assert_eq!(beyond_suffix(".a.example"), None);
    }
}
