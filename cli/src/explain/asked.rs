//! Asked request: a page's request, put together from the arguments, a copied cURL command and a HAR.

use anyhow::{Context as _, anyhow, bail};
use corsward_browser::{CredentialsMode, HeaderLine, PageOrigin, PageRequest};
use url::Url;

/// The parts of a page's request that one source has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The page's origin, or its URL.
    pub(crate) origin: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) headers: Vec<HeaderLine>,
    pub(crate) credentials: Option<CredentialsMode>,
}

// === impl Asked ===

impl Asked {
    /// The request of a browser's own record: the headers that a browser adds by itself are left out.
    pub(crate) fn of_record(url: &str, method: &str, lines: Vec<HeaderLine>) -> Self {
        let text = |wanted: &str| {
            let line = lines.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            line.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        let referrer = || Some(origin_of(&text("referer")?).ok()?.to_string());
        let origin = text("origin").or_else(referrer);
        // A record shows no credentials mode; a cookie of another origin travels in this one alone.
        let credentials = text("cookie").map(|_| CredentialsMode::Include);
        let headers = lines.into_iter().filter(|(name, _)| !is_of_browser(name)).collect();
        let (url, method) = (Some(url.to_owned()), Some(method.to_owned()));
        Self { origin, url, method, headers, credentials }
    }

    /// Completes it with the parts of `other`; headers are those of both.
    pub(crate) fn or(self, other: Self) -> Self {
        let Self { origin, url, method, mut headers, credentials } = self;
        let is_new = |line: &HeaderLine| {
            !headers.iter().any(|(name, _): &HeaderLine| name.eq_ignore_ascii_case(&line.0))
        };
        let added: Vec<HeaderLine> = other.headers.into_iter().filter(is_new).collect();
        headers.extend(added);
        Self {
            origin: origin.or(other.origin),
            url: url.or(other.url),
            method: method.or(other.method),
            headers,
            credentials: credentials.or(other.credentials),
        }
    }

    /// The whole request.
    pub(crate) fn page(self) -> anyhow::Result<PageRequest> {
        let Some(url) = self.url else {
            bail!("no URL: give `--url https://api.example/items`, `--curl`, `--live` or a HAR");
        };
        let Some(origin) = self.origin else {
            bail!("no origin of the page: give `--origin https://app.example`");
        };
        Ok(PageRequest {
            headers: self.headers,
            // The default of `fetch`.
            credentials: self.credentials.unwrap_or(CredentialsMode::SameOrigin),
            ..page_request(&origin, &url, self.method.as_deref().unwrap_or("GET"))?
        })
    }
}

/// A request without headers and credentials.
pub(crate) fn page_request(origin: &str, url: &str, method: &str) -> anyhow::Result<PageRequest> {
    Ok(PageRequest {
        origin: origin_of(origin).context("`--origin`")?,
        url: url_of(url).context("`--url`")?,
        method: method.to_owned(),
        headers: Vec::new(),
        credentials: CredentialsMode::SameOrigin,
        upload_listeners: false,
    })
}

/// The origin of an origin or of a page's URL.
pub(crate) fn origin_of(text: &str) -> anyhow::Result<PageOrigin> {
    if text == "null" {
        return Ok(PageOrigin::opaque());
    }
    let origin = PageOrigin::of(&url_of(text)?);
    if origin.is_opaque() {
        bail!("`{text}` has an opaque origin; say `null` for a page without an origin of its own");
    }
    Ok(origin)
}

/// The URL of a text.
pub(crate) fn url_of(text: &str) -> anyhow::Result<Url> {
    Url::parse(text).with_context(|| format!("`{text}` is no URL; it begins with `https://`"))
}

/// Reads `Name: value`.
pub(crate) fn header(text: &str) -> anyhow::Result<HeaderLine> {
    let Some((name, value)) = text.split_once(':') else {
        bail!("`{text}` is no header; write `Name: value`");
    };
    Ok((name.trim().to_owned(), value.trim().as_bytes().to_vec()))
}

/// The error about a record of a request that no CORS check follows, such as a navigation or an image.
pub(super) fn beside_cors(request: &str, mode: &str) -> anyhow::Error {
    anyhow!("{request} has the mode `{mode}`: it is no matter of CORS")
}

/// Headers that browsers add by themselves, for their caches, their protocols and the user's settings. A page may set a few of them too, which
/// a record does not show. Those that are forbidden to pages are left out anyway.
const OF_BROWSER: [&str; 30] = [
    "accept-encoding",
    "accept-language",
    "alt-used",
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "device-memory",
    "dnt",
    "downlink",
    "dpr",
    "ect",
    "host",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "keep-alive",
    "last-event-id",
    "origin",
    "pragma",
    "priority",
    "purpose",
    "referer",
    "rtt",
    "save-data",
    "te",
    "upgrade-insecure-requests",
    "user-agent",
    "viewport-width",
    "x-client-data",
];

/// Does a browser add that header by itself?
pub(super) fn is_of_browser(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(':') || name.starts_with("sec-") || OF_BROWSER.contains(&name.as_str())
}
