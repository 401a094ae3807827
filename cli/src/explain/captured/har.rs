//! HAR: the requests of a page, as a browser exports them.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use corsward_browser::plan::{normalized_method, plan};
use corsward_browser::{CorsRequest, CorsResponse, HeaderLine, PageOrigin, cors_check};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::Url;

use super::Captured;
use crate::explain::asked::{Asked, beside_cors, is_of_browser, origin_of};
use crate::explain::code::BesideCors;
use crate::explain::csp;
use crate::explain::diagnosis::Diagnosis;
use crate::explain::reply::Answer;

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    request: Request,
    response: Response,
    started_date_time: Option<String>,
    /// Its duration, in milliseconds.
    time: Option<f64>,
    /// Chromium's own kind of the request.
    #[serde(rename = "_resourceType")]
    resource_type: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Response {
    /// Not above 0 where the page got none.
    status: i64,
    headers: Vec<Header>,
    /// Chromium's own error.
    #[serde(rename = "_error")]
    error: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

/// Chromium's errors that are not about CORS.
const ERRORS: [(&str, BesideCors); 9] = [
    ("net::ERR_CERT_", BesideCors::Certificate),
    ("net::ERR_SSL_", BesideCors::Certificate),
    ("net::ERR_NAME_NOT_RESOLVED", BesideCors::Dns),
    ("net::ERR_BLOCKED_BY_CLIENT", BesideCors::BlockedByExtension),
    ("net::ERR_CONNECTION_", BesideCors::Connection),
    ("net::ERR_ADDRESS_UNREACHABLE", BesideCors::Connection),
    ("net::ERR_TIMED_OUT", BesideCors::Connection),
    ("net::ERR_INTERNET_DISCONNECTED", BesideCors::Connection),
    ("net::ERR_BLOCKED_BY_PRIVATE_NETWORK_ACCESS_CHECKS", BesideCors::LocalNetwork),
];

/// Most requests that an error lists.
const MOST_LISTED: usize = 10;

/// Reads the request that is asked, by its URL, method and page, or the first cross-origin one; of several, the first that fails.
pub(super) fn read(text: &str, asked: &Asked) -> anyhow::Result<Captured> {
    let har: Har = serde_json::from_str(text).context("the file is no HAR")?;
    let entries = har.log.entries;
    let wanted = Wanted::of(asked)?;
    let is_place = |entry: &&Entry| match &wanted.url {
        Some(url) => entry.url().as_ref() == Some(url) && !entry.is_preflight(),
        None => entry.is_cross_origin() && !entry.is_preflight(),
    };
    let there: Vec<&Entry> = entries.iter().filter(is_place).collect();
    let meant: Vec<&Entry> = there.iter().copied().filter(|it| wanted.is_request(it)).collect();
    let candidates: Vec<&Entry> = meant.iter().copied().filter(|it| it.mode() == "cors").collect();
    let failed = candidates.iter().find(|it| it.is_cross_origin() && it.is_hidden());
    let Some(entry) = failed.or(candidates.first()) else {
        return Err(match (&asked.url, meant.first(), there.as_slice()) {
            (Some(url), Some(other), _) => {
                beside_cors(&format!("the HAR's request to `{url}`"), other.mode())
            }
            (None, Some(_), _) | (None, None, []) => {
                anyhow!("the HAR has no cross-origin request; name one with `--url`")
            }
            (_, None, there) => {
                let all: Vec<&Entry> = entries.iter().filter(|it| !it.is_preflight()).collect();
                let of_others = if there.is_empty() { &all } else { there };
                anyhow!("the HAR has no such request; {}", listed(of_others))
            }
        });
    };
    let preflight = entry.preflight(&entries);
    let mut asked = entry.asked();
    asked.headers.extend(preflight.into_iter().flat_map(|it| entry.unrecorded(it)));
    let mut captured = Captured {
        asked,
        preflight: preflight.and_then(|it| it.response.answer()),
        request: entry.response.answer(),
        diagnoses: Vec::new(),
    };
    let errors = [Some(*entry), preflight];
    let errors = errors.into_iter().flatten().filter_map(|entry| entry.response.error.as_deref());
    for error in errors {
        if let Some((_, fault)) = ERRORS.iter().find(|(prefix, _)| error.starts_with(prefix)) {
            captured.diagnoses.push(Diagnosis::seen(*fault, error));
        }
    }
    captured.diagnoses.extend(entry.refused_by_csp(&entries));
    Ok(captured)
}

/// The requests as an error names them, each once.
fn listed(entries: &[&Entry]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for entry in entries {
        let page = entry.origin().map(|origin| format!(" from {origin}")).unwrap_or_default();
        let line = format!("`{} {}`{page}", entry.request.method, entry.request.url);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let more = lines.len().saturating_sub(MOST_LISTED);
    lines.truncate(MOST_LISTED);
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    if lines.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}{more}", lines.join(", "))
    }
}

/// The request that is asked, as far as it is given.
struct Wanted {
    url: Option<Url>,
    method: Option<String>,
    origin: Option<PageOrigin>,
}

// === impl Wanted ===

impl Wanted {
    fn of(asked: &Asked) -> anyhow::Result<Self> {
        let origin = asked.origin.as_deref().map(origin_of).transpose().context("`--origin`")?;
        let method = asked.method.as_deref().map(normalized_method).transpose()?;
        Ok(Self { url: asked.url.as_deref().and_then(without_fragment), method, origin })
    }

    /// Does a request have that method and page? A record may lack the page.
    fn is_request(&self, entry: &Entry) -> bool {
        let is_page = |own: &PageOrigin| entry.origin().is_none_or(|origin| origin == *own);
        self.method.as_ref().is_none_or(|method| entry.request.method == *method)
            && self.origin.as_ref().is_none_or(is_page)
    }
}

// === impl Entry ===

impl Entry {
    fn url(&self) -> Option<Url> {
        without_fragment(&self.request.url)
    }

    fn start(&self) -> Option<Timestamp> {
        self.started_date_time.as_ref()?.parse().ok()
    }

    fn asked(&self) -> Asked {
        let lines = lines(&self.request.headers);
        Asked::of_record(&self.request.url, &self.request.method, lines)
    }

    fn is_preflight(&self) -> bool {
        self.request.method == "OPTIONS" && self.asks().is_some()
    }

    /// The method that a preflight asks for.
    fn asks(&self) -> Option<&str> {
        self.request.header("access-control-request-method")
    }

    /// The names of its headers that a preflight lists, as far as the record shows them.
    fn unsafe_names(&self) -> BTreeSet<String> {
        let planned = self.asked().page().ok().and_then(|page| plan(&page).ok()?.preflight);
        let names = planned.into_iter().flat_map(|planned| planned.asks.unsafe_names);
        names.map(|name| String::from_utf8_lossy(&name).to_ascii_lowercase()).collect()
    }

    /// The names that a preflight lists.
    fn requested_names(&self) -> BTreeSet<String> {
        let list = self.request.header("access-control-request-headers").unwrap_or_default();
        let names = list.split(',').map(|name| name.trim().to_ascii_lowercase());
        names.filter(|name| !name.is_empty()).collect()
    }

    /// The page's headers that the preflight lists and the record of the request does not show as the page's: a browser leaves credentials
    /// out of what it exports, and adds some headers by itself too.
    fn unrecorded(&self, preflight: &Self) -> Vec<HeaderLine> {
        let names = preflight.requested_names();
        let missing = names.difference(&self.unsafe_names()).cloned().collect::<Vec<_>>();
        let line = |name: String| {
            let value = self.request.header(&name).unwrap_or_default().as_bytes().to_vec();
            (name, value)
        };
        missing.into_iter().map(line).collect()
    }

    /// Is it the preflight of a request: for its URL, method and headers, from its page?
    fn is_preflight_of(&self, request: &Self) -> bool {
        let is_hidden = |name: &String| is_of_browser(name) || name == "authorization";
        let (own, theirs) = (self.requested_names(), request.unsafe_names());
        let origin = request.asked().origin;
        self.is_preflight()
            && self.url() == request.url()
            && self.asks() == Some(&*request.request.method)
            && self.request.header("origin").is_none_or(|own| origin.as_deref() == Some(own))
            && own.is_superset(&theirs)
            && own.difference(&theirs).all(is_hidden)
    }

    /// The last preflight of it that begins before its end. Chromium counts the preflight in the time of its request.
    fn preflight<'h>(&self, entries: &'h [Self]) -> Option<&'h Self> {
        let end = self.start().zip(self.time).and_then(|(start, time)| {
            let time = SignedDuration::try_from_secs_f64(time / 1000.0).ok()?;
            start.checked_add(time).ok()
        });
        let end = end.or(self.start());
        let is_before = |it: &Self| match (it.start(), end) {
            (Some(start), Some(end)) => start <= end,
            _ => true,
        };
        let preflights = entries.iter().filter(|it| is_before(it) && it.is_preflight_of(self));
        preflights.max_by_key(|it| it.start())
    }

    /// Fetch, "mode" of a request. Where the record does not name it, the kind of the request and its `Origin` tell.
    fn mode(&self) -> &str {
        if let Some(mode) = self.request.header("sec-fetch-mode") {
            return mode;
        }
        let is_socket = self.url().is_some_and(|url| matches!(url.scheme(), "ws" | "wss"));
        match self.resource_type.as_deref() {
            _ if is_socket => "websocket",
            Some("fetch" | "xhr" | "eventsource" | "font") => "cors",
            Some("document") => "navigate",
            // A record of some other browser without an answer.
            None if self.response.answer().is_none() => "cors",
            // A request without a mode of its own that names its origin, as `crossorigin` on an element makes it.
            _ if self.request.header("origin").is_some() => "cors",
            _ => "no-cors",
        }
    }

    /// The origin of its page.
    fn origin(&self) -> Option<PageOrigin> {
        origin_of(&self.asked().origin?).ok()
    }

    fn is_cross_origin(&self) -> bool {
        matches!((self.origin(), self.url()), (Some(origin), Some(url)) if !origin.is_of(&url))
    }

    /// Whether the page does not read the response: there is none, or the CORS check fails.
    fn is_hidden(&self) -> bool {
        let Some(answer) = self.response.answer() else { return true };
        if answer.is_of_stored() {
            return false;
        }
        let Asked { origin, credentials, .. } = self.asked();
        let request = CorsRequest {
            origin: origin.unwrap_or_default().into_bytes(),
            credentials: credentials.unwrap_or_default(),
        };
        let response = CorsResponse { status: answer.status, headers: &answer.headers };
        cors_check(&request, response).is_err()
    }

    /// The `connect-src` of the page's document, if it does not allow the request.
    fn refused_by_csp(&self, entries: &[Self]) -> Option<Diagnosis> {
        let url = self.url().filter(|_| self.response.answer().is_none())?;
        let origin = self.origin()?;
        let is_page = |entry: &&Self| {
            let is_html = |header: &Header| {
                header.name.eq_ignore_ascii_case("content-type")
                    && header.value.starts_with("text/html")
            };
            entry.url().is_some_and(|url| origin.is_of(&url))
                && entry.response.headers.iter().any(is_html)
        };
        let page = entries.iter().find(is_page)?;
        let policies = page.response.headers.iter();
        let mut policies =
            policies.filter(|header| header.name.eq_ignore_ascii_case("content-security-policy"));
        policies.find_map(|policy| {
            let sources = csp::refusing(&policy.value, &url, &origin)?;
            Some(Diagnosis::seen(BesideCors::Csp, &sources))
        })
    }
}

// === impl Request ===

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(&header.value)
    }
}

// === impl Response ===

impl Response {
    fn answer(&self) -> Option<Answer> {
        let status = u16::try_from(self.status).ok().filter(|status| *status > 0)?;
        Some(Answer { status, headers: lines(&self.headers) })
    }
}

fn without_fragment(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    url.set_fragment(None);
    Some(url)
}

fn lines(headers: &[Header]) -> Vec<HeaderLine> {
    // Chromium joins lines of one name by a line break.
    let split = |header: &Header| {
        let line = |value: &str| (header.name.clone(), value.as_bytes().to_vec());
        header.value.split('\n').map(line).collect::<Vec<_>>()
    };
    headers.iter().flat_map(split).collect()
}
