//! Implementation: the CORS layer behind an answer, by the traits of measured ones.

use std::fmt;

use corsward_browser::combined;
use corsward_browser::header_list::values;
use serde::{Deserialize, Serialize};

use super::reply::Answer;

/// Traits of implementations with three settings or more: an origin, methods, request headers.
const TABLE: &str = include_str!("implementations.json");

/// The names that an answer fits best.
#[derive(Debug, Serialize)]
pub(super) struct Guess {
    /// One name, or several that the answer does not tell apart.
    names: Vec<String>,
    confidence: Confidence,
    /// The share of traits that agree, in per cent.
    agreement: u32,
    /// The best of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
}

/// The confidence in a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    High,
    Medium,
    Low,
}

/// An implementation that fits less.
#[derive(Debug, Serialize)]
struct Next {
    name: String,
    agreement: u32,
}

/// A measured implementation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Implementation {
    name: String,
    #[serde(rename = "version")]
    _version: String,
    /// Answers to preflights that pass.
    preflight: Vec<Traits>,
    /// Answers to preflights of an origin that is not allowed.
    refusal: Vec<Traits>,
    /// Responses that are shared with the page.
    request: Vec<Traits>,
}

/// The traits of one answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Traits {
    status: Option<u16>,
    /// The names of the header lines, in their order, without `access-control-`.
    names: Vec<String>,
    /// Whether the lines come in any order, as out of a hash table.
    #[serde(default)]
    any_order: bool,
    /// The lines of `Vary`, with the names of the CORS protocol alone.
    vary: Vec<String>,
    /// The text between two methods.
    separator: Option<String>,
}

/// The names of the CORS protocol that `Vary` may have.
const VARYING: [&str; 4] = [
    "origin",
    "access-control-request-method",
    "access-control-request-headers",
    "access-control-request-private-network",
];

/// Guesses the implementation of the answers, the first of which is to a preflight if `true`.
pub(super) fn guess(answers: &[(bool, Answer)]) -> Option<Guess> {
    if answers.iter().any(|(_, answer)| combined(&answer.headers, "x-corsward").is_some()) {
        let names = vec!["corsward".to_owned()];
        return Some(Guess { names, confidence: Confidence::High, agreement: 100, next: None });
    }
    let server = answers.iter().find_map(|(_, answer)| product(answer));
    let answers: Vec<(bool, bool, Traits)> = answers.iter().filter_map(read).collect();
    if answers.is_empty() {
        return None;
    }
    let table: Vec<Implementation> = serde_json::from_str(TABLE).ok()?;
    let mut fits: Vec<(u32, String)> = table
        .into_iter()
        .map(|implementation| (implementation.agreement(&answers), implementation.name))
        .collect();
    fits.sort_by(|one, other| other.cmp(one));
    let best = fits.first()?.0;
    let (names, others): (Vec<_>, Vec<_>) = fits.into_iter().partition(|(fit, _)| *fit == best);
    let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    let is_server = |name: &&String| {
        server.as_ref().is_some_and(|server| name.to_ascii_lowercase().contains(server))
    };
    // Traits of settings that are written by hand are those of the hand.
    let names = match names.iter().find(is_server) {
        Some(name) => vec![name.clone()],
        None => names,
    };
    let next = others.into_iter().next().map(|(agreement, name)| Next { name, agreement });
    let ahead = best.saturating_sub(next.as_ref().map_or(0, |next| next.agreement));
    let confidence = match (best, names.len(), ahead) {
        (90.., 1, 10..) => Confidence::High,
        (90.., 1, _) | (80.., 1, 10..) => Confidence::Medium,
        (80.., 1..=3, _) => Confidence::Low,
        // Too many fit, or none.
        _ => return None,
    };
    Some(Guess { names, confidence, agreement: best, next })
}

/// The product that `Server` names, in lower case.
fn product(answer: &Answer) -> Option<String> {
    let server = combined(&answer.headers, "server")?;
    let product = server.split(|byte| matches!(byte, b'/' | b' ')).next()?;
    let product = String::from_utf8_lossy(product).to_ascii_lowercase();
    Some(product).filter(|product| product.len() > 3)
}

/// The traits of an answer; `None`: it has too few.
fn read((is_preflight, answer): &(bool, Answer)) -> Option<(bool, bool, Traits)> {
    let traits = Traits::of(answer);
    let is_shared = traits.names.iter().any(|name| name == "allow-origin");
    (traits.names.len() >= 2).then_some((*is_preflight, is_shared, traits))
}

// === impl Implementation ===

impl Implementation {
    /// The share of traits of the answers that it has, in per cent.
    fn agreement(&self, answers: &[(bool, bool, Traits)]) -> u32 {
        let (mut points, mut possible): (u32, u32) = (0, 0);
        for (is_preflight, is_shared, traits) in answers {
            let kind = match (is_preflight, is_shared) {
                (true, true) => &self.preflight,
                (true, false) => &self.refusal,
                (false, _) => &self.request,
            };
            let best = kind.iter().map(|measured| measured.points(traits)).max();
            points = points.saturating_add(best.unwrap_or(0));
            possible = possible.saturating_add(Traits::POINTS);
        }
        points.saturating_mul(100).checked_div(possible).unwrap_or(0)
    }
}

// === impl Traits ===

impl Traits {
    /// The points of an answer with the same traits.
    const POINTS: u32 = 100;

    fn of(answer: &Answer) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut vary = Vec::new();
        for (name, value) in &answer.headers {
            let name = name.to_ascii_lowercase();
            let short = if name == "vary" {
                let value = String::from_utf8_lossy(value).into_owned();
                let tokens = value.split(',').map(str::trim);
                let tokens: Vec<&str> = tokens
                    .filter(|token| VARYING.iter().any(|it| it.eq_ignore_ascii_case(token)))
                    .collect();
                if tokens.is_empty() {
                    continue;
                }
                vary.push(tokens.join(", "));
                name
            } else if let Some(short) = name.strip_prefix("access-control-") {
                short.to_owned()
            } else {
                continue;
            };
            if !names.contains(&short) {
                names.push(short);
            }
        }
        let methods = values(&answer.headers, "access-control-allow-methods").next();
        let methods = methods.map(String::from_utf8_lossy).filter(|methods| methods.contains(','));
        let separator = methods.map(|text| if text.contains(", ") { ", " } else { "," }.to_owned());
        Self { status: Some(answer.status), names, any_order: false, vary, separator }
    }

    /// The points of an answer: 45 for its names and their order, 25 for `Vary`, 20 for the status, 10 for commas.
    fn points(&self, answer: &Self) -> u32 {
        let status = self.status.is_none() || self.status == answer.status;
        let separator = match (&self.separator, &answer.separator) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let lower = |lines: &[String]| lines.join("|").to_ascii_lowercase();
        let vary = if self.vary == answer.vary {
            25
        } else if lower(&self.vary) == lower(&answer.vary) {
            15
        } else {
            0
        };
        let share = |agrees: bool, points: u32| if agrees { points } else { 0 };
        [self.order(answer), vary, share(status, 20), share(separator, 10)].iter().sum()
    }

    /// 45 for the same names in the same order, and 36 for the same names where they have no order; fewer for more or fewer names; none for another order.
    fn order(&self, answer: &Self) -> u32 {
        let common = |one: &Self, other: &Self| -> Vec<String> {
            one.names.iter().filter(|name| other.names.contains(name)).cloned().collect()
        };
        let (mine, mut theirs) = (common(self, answer), common(answer, self));
        if self.any_order {
            theirs.sort_by_key(|name| mine.iter().position(|other| other == name));
        }
        if mine != theirs {
            return 0;
        }
        let all = self.names.len().saturating_add(answer.names.len()).saturating_sub(mine.len());
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let most: u32 = if self.any_order { 36 } else { 45 };
        count(mine.len()).saturating_mul(most).checked_div(count(all)).unwrap_or(most)
    }
}

// === impl Guess ===

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, confidence, agreement, next } = self;
        let confidence = match confidence {
            Confidence::High => "high",
            Confidence::Medium => "medium",
            Confidence::Low => "low",
        };
        write!(
            f,
            "the answers look like those of {} (confidence: {confidence}; {agreement} % of the traits agree",
            names.join(" or ")
        )?;
        if let Some(Next { name, agreement }) = next {
            write!(f, "; next: {name}, {agreement} %")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with those traits.
    fn answer(traits: &Traits) -> Answer {
        let mut headers = Vec::new();
        let mut vary = traits.vary.iter();
        for name in &traits.names {
            let value = match name.as_str() {
                "allow-origin" => "https://app.example".to_owned(),
                "allow-methods" => format!("GET{}PUT", traits.separator.as_deref().unwrap_or(",")),
                "vary" => vary.next().unwrap().clone(),
                _ => "x".to_owned(),
            };
            let name = if name == "vary" { name.clone() } else { format!("access-control-{name}") };
            headers.push((name, value.into_bytes()));
        }
        headers.extend(vary.map(|line| ("vary".to_owned(), line.clone().into_bytes())));
        Answer { status: traits.status.unwrap_or(200), headers }
    }

    #[test]
    fn every_measured_implementation_is_among_the_best_for_its_own_answers() {
        let table: Vec<Implementation> = serde_json::from_str(TABLE).unwrap();
        assert!(table.len() >= 34);
        let mut certain = 0;
        for one in &table {
            let mut answers: Vec<(bool, Answer)> = Vec::new();
            answers.extend(one.preflight.first().map(|traits| (true, answer(traits))));
            answers.extend(one.request.first().map(|traits| (false, answer(traits))));
            let guess = guess(&answers).unwrap_or_else(|| panic!("{}: no guess", one.name));
            assert!(guess.names.contains(&one.name), "{}: {guess:?}", one.name);
            certain += usize::from(guess.confidence == Confidence::High);
        }
        assert!(certain >= 25, "only {certain} are told apart with high confidence");
    }

    #[test]
    fn an_implementation_without_an_order_is_recognized_in_each() {
        let table: Vec<Implementation> = serde_json::from_str(TABLE).unwrap();
        let one = table.iter().find(|one| one.name == "actix-cors").unwrap();
        for turn in 0..6 {
            let mut answer = answer(&one.preflight[0]);
            answer.headers.rotate_left(turn);
            let guess = guess(&[(true, answer)]).unwrap();
            assert_eq!(guess.names, std::slice::from_ref(&one.name));
            assert_eq!(guess.confidence, Confidence::High);
        }
    }

    #[test]
    fn the_server_header_decides_between_equal_names() {
        let table: Vec<Implementation> = serde_json::from_str(TABLE).unwrap();
        let nginx = table.iter().find(|one| one.name.starts_with("nginx")).unwrap();
        let mut answer = answer(nginx.preflight.first().unwrap());
        assert_eq!(guess(&[(true, answer.clone())]).unwrap().names.len(), 2);
        answer.headers.push(("Server".to_owned(), b"nginx/1.29.3".to_vec()));
        let names = guess(&[(true, answer)]).unwrap().names;
        assert_eq!(names, std::slice::from_ref(&nginx.name));
    }

    #[test]
    fn an_answer_with_few_traits_gives_no_guess() {
        let star = Answer {
            status: 200,
            headers: vec![("access-control-allow-origin".to_owned(), b"*".to_vec())],
        };
        assert!(guess(&[(false, star)]).is_none());
    }
}
