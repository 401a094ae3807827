//! cURL command: the line that a browser's "copy as cURL" puts on the clipboard.

use anyhow::{Context as _, bail};
use corsward_browser::HeaderLine;
use url::form_urlencoded::byte_serialize;

use super::asked::{Asked, beside_cors, header};
use super::words;

/// Reads a command, of a POSIX shell or of `cmd` on Windows.
pub(super) fn read(command: &str) -> anyhow::Result<Asked> {
    let mut words = words::split(command)?.into_iter();
    if words.next().as_deref() != Some("curl") {
        bail!("the command does not begin with `curl`");
    }
    let mut read = Read::default();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            read.take_long(long, &mut words)?;
        } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
            read.take_short(short, &mut words)?;
        } else {
            read.take_url(word)?;
        }
    }
    read.asked()
}

/// The effect of an option on the request.
#[derive(Clone, Copy)]
enum Effect {
    Header,
    Method,
    Cookie,
    Referrer,
    Authorization,
    Url,
    /// A part of the URL's query.
    Query,
    /// A body, whose content is of no matter to CORS.
    Body,
    Json,
    Upload,
    /// The body is a part of the URL.
    Get,
    Head,
    /// None, with a value.
    Value,
    /// None.
    Switch,
}

/// The options by their names, the short one first.
const OPTIONS: [(&str, &[&str], Effect); 14] = [
    ("H", &["header"], Effect::Header),
    ("X", &["request"], Effect::Method),
    ("b", &["cookie"], Effect::Cookie),
    ("e", &["referer"], Effect::Referrer),
    ("u", &["user", "oauth2-bearer", "aws-sigv4"], Effect::Authorization),
    ("", &["url"], Effect::Url),
    ("", &["url-query"], Effect::Query),
    (
        "dF",
        &["data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "form", "form-string"],
        Effect::Body,
    ),
    ("", &["json"], Effect::Json),
    ("T", &["upload-file"], Effect::Upload),
    ("G", &["get"], Effect::Get),
    ("I", &["head"], Effect::Head),
    (
        "AoxmwEcDrU",
        &[
            "alt-svc",
            "cacert",
            "capath",
            "cert",
            "cert-type",
            "ciphers",
            "connect-timeout",
            "connect-to",
            "cookie-jar",
            "crlfile",
            "dns-servers",
            "doh-url",
            "dump-header",
            "hsts",
            "interface",
            "keepalive-time",
            "key",
            "key-type",
            "limit-rate",
            "local-port",
            "max-filesize",
            "max-redirs",
            "max-time",
            "netrc-file",
            "noproxy",
            "output",
            "pass",
            "pinnedpubkey",
            "preproxy",
            "proto",
            "proto-default",
            "proxy",
            "proxy-header",
            "proxy-user",
            "range",
            "rate",
            "resolve",
            "retry",
            "retry-delay",
            "retry-max-time",
            "socks5",
            "socks5-hostname",
            "speed-limit",
            "speed-time",
            "stderr",
            "tls-max",
            "tls13-ciphers",
            "trace",
            "trace-ascii",
            "unix-socket",
            "user-agent",
            "write-out",
        ],
        Effect::Value,
    ),
    (
        "#012346aBfgijJkLlnNOpqRsSvZ",
        &[
            "anyauth",
            "append",
            "basic",
            "compressed",
            "create-dirs",
            "digest",
            "disable",
            "doh-insecure",
            "fail",
            "fail-early",
            "fail-with-body",
            "globoff",
            "http0.9",
            "http1.0",
            "http1.1",
            "http2",
            "http2-prior-knowledge",
            "http3",
            "http3-only",
            "include",
            "insecure",
            "ipv4",
            "ipv6",
            "junk-session-cookies",
            "list-only",
            "location",
            "location-trusted",
            "negotiate",
            "netrc",
            "ntlm",
            "parallel",
            "path-as-is",
            "progress-bar",
            "proxy-insecure",
            "proxytunnel",
            "raw",
            "remote-header-name",
            "remote-name",
            "remote-time",
            "retry-all-errors",
            "show-error",
            "show-headers",
            "silent",
            "ssl",
            "ssl-no-revoke",
            "ssl-reqd",
            "styled-output",
            "tcp-fastopen",
            "tcp-nodelay",
            "tlsv1",
            "tlsv1.0",
            "tlsv1.1",
            "tlsv1.2",
            "tlsv1.3",
            "tr-encoding",
            "trace-time",
            "use-ascii",
            "verbose",
            "xattr",
        ],
        Effect::Switch,
    ),
];

/// The parts of a command that are read so far.
#[derive(Default)]
struct Read {
    url: Option<String>,
    method: Option<String>,
    headers: Vec<HeaderLine>,
    /// The method without `--request`.
    implied: Option<&'static str>,
    is_get: bool,
    is_json: bool,
    data: Vec<String>,
    /// The parts that the URL's query gets.
    query: Vec<String>,
}

// === impl Effect ===

impl Effect {
    fn has_value(self) -> bool {
        !matches!(self, Self::Get | Self::Head | Self::Switch)
    }
}

// === impl Read ===

impl Read {
    fn take_long(
        &mut self,
        name: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> anyhow::Result<()> {
        if name == "next" {
            bail!("the command has several requests (`--next`): give one");
        }
        let mut known = OPTIONS.iter().filter(|(_, long, _)| long.contains(&name));
        match known.next() {
            Some((_, _, effect)) if effect.has_value() => {
                let value = rest.next().with_context(|| format!("`--{name}` has no value"))?;
                self.apply(*effect, value)
            }
            Some((_, _, effect)) => self.apply(*effect, String::new()),
            // The negation of a switch.
            None if name.starts_with("no-") => Ok(()),
            None => bail!("`--{name}` is no option of curl that is known here: leave it out"),
        }
    }

    /// Takes a group of options: `-sSik`, `-XPUT`, `-sH 'a: b'`.
    fn take_short(
        &mut self,
        group: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> anyhow::Result<()> {
        let mut letters = group.chars();
        while let Some(letter) = letters.next() {
            let mut known = OPTIONS.iter().filter(|(short, _, _)| short.contains(letter));
            let Some((_, _, effect)) = known.next() else {
                bail!("`-{letter}` is no option of curl that is known here: leave it out");
            };
            if effect.has_value() {
                let attached = Some(letters.as_str().to_owned()).filter(|it| !it.is_empty());
                let value = attached.or_else(|| rest.next());
                return self
                    .apply(*effect, value.with_context(|| format!("`-{letter}` has no value"))?);
            }
            self.apply(*effect, String::new())?;
        }
        Ok(())
    }

    fn take_url(&mut self, url: String) -> anyhow::Result<()> {
        if let Some(first) = self.url.replace(url) {
            bail!(
                "the command has two URLs, `{first}` and `{}`: give one",
                self.url.as_deref().unwrap_or_default()
            );
        }
        Ok(())
    }

    fn apply(&mut self, effect: Effect, value: String) -> anyhow::Result<()> {
        let mut add =
            |name: &str, value: String| self.headers.push((name.to_owned(), value.into_bytes()));
        match effect {
            Effect::Header => {
                // `Name;` is an empty value.
                let text = value.strip_suffix(';').map_or(value.clone(), |it| format!("{it}:"));
                self.headers.push(header(&text)?);
            }
            Effect::Method => self.method = Some(value),
            Effect::Cookie => add("cookie", value),
            Effect::Referrer => add("referer", value),
            Effect::Authorization => add("authorization", "Basic".to_owned()),
            Effect::Url => self.take_url(value)?,
            Effect::Query => self.query.push(query_part(&value)?),
            Effect::Body => {
                self.implied.get_or_insert("POST");
                self.data.push(value);
            }
            Effect::Json => {
                self.is_json = true;
                self.implied.get_or_insert("POST");
            }
            Effect::Upload => self.implied = Some("PUT"),
            Effect::Get => self.is_get = true,
            Effect::Head => self.implied = Some("HEAD"),
            Effect::Value | Effect::Switch => {}
        }
        Ok(())
    }

    /// The page's request.
    fn asked(self) -> anyhow::Result<Asked> {
        let Self { url, method, mut headers, implied, is_get, is_json, data, mut query } = self;
        let mut url = url.context("the command has no URL")?;
        if is_get && !data.is_empty() {
            query.extend(data);
        }
        for part in query {
            url = with_query(&url, &part);
        }
        if let [first, other, ..] = values_of(&headers, "origin").as_slice() {
            bail!("the command has two headers `origin`, `{first}` and `{other}`: give one");
        }
        let modes = values_of(&headers, "sec-fetch-mode");
        if let Some(mode) = modes.iter().find(|mode| **mode != "cors") {
            return Err(beside_cors("the command's request", mode));
        }
        let implied = implied.filter(|implied| !is_get || *implied == "HEAD").unwrap_or("GET");
        for name in ["content-type", "accept"].iter().filter(|_| is_json) {
            // A header of the command replaces the one of `--json`.
            if !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                headers.push(((*name).to_owned(), b"application/json".to_vec()));
            }
        }
        Ok(Asked::of_record(&url, method.as_deref().unwrap_or(implied), headers))
    }
}

/// The part of a query that `--url-query` adds: the value behind `=` is encoded, and all of it behind a `+` stays as it is.
fn query_part(value: &str) -> anyhow::Result<String> {
    if let Some(raw) = value.strip_prefix('+') {
        return Ok(raw.to_owned());
    }
    let (name, content) = value.split_once('=').unwrap_or(("", value));
    if !value.contains('=') && value.contains('@') {
        bail!(
            "`--url-query {value}` has the text of a file, which is not read: write the text itself"
        );
    }
    let content: String = byte_serialize(content.as_bytes()).collect();
    Ok(if name.is_empty() { content } else { format!("{name}={content}") })
}

/// The URL with that part at the end of its query. The fragment, which no request has, is left out.
fn with_query(url: &str, part: &str) -> String {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let separator = match url.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{url}{separator}{part}")
}

/// The different values of a header, in their order.
fn values_of(headers: &[HeaderLine], name: &str) -> Vec<String> {
    let lines = headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
    let mut values = Vec::new();
    for value in lines.map(|(_, value)| String::from_utf8_lossy(value).into_owned()) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use corsward_browser::CredentialsMode;

    #[test]
    fn a_copied_command_is_the_pages_request_without_what_browsers_add() {
        let asked = read(
            "curl 'https://api.example/items' \\\n  -X 'PUT' \\\n  -H 'accept: */*' \\\n  \
             -H 'content-type: application/json' -H 'origin: https://app.example' \\\n  \
             -H 'sec-fetch-mode: cors' -H 'user-agent: Mozilla/5.0' -H 'x-empty;' \\\n  \
             -b 'session=1' --data-raw '{\"a\":1}' --compressed",
        )
        .unwrap();
        assert_eq!(asked.url.as_deref(), Some("https://api.example/items"));
        assert_eq!(asked.method.as_deref(), Some("PUT"));
        assert_eq!(asked.origin.as_deref(), Some("https://app.example"));
        assert_eq!(asked.credentials, Some(CredentialsMode::Include));
        let names: Vec<&str> = asked.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["accept", "content-type", "x-empty"]);
    }

    #[test]
    fn a_body_is_posted_and_a_referrer_has_an_origin() {
        let asked = read(
            r#"curl ^"https://api.example/a^" ^
  -H ^"referer: https://app.example/page^" -d 1"#,
        )
        .unwrap();
        assert_eq!(asked.method.as_deref(), Some("POST"));
        assert_eq!(asked.origin.as_deref(), Some("https://app.example"));
        assert_eq!(asked.credentials, None);
    }

    #[test]
    fn the_options_of_curl_are_read_as_curl_reads_them() {
        for (options, method, headers) in [
            ("-sSik", "GET", &[][..]),
            ("-sSXPUT -kH 'x-a: 1'", "PUT", &["x-a"]),
            ("--json '{}'", "POST", &["content-type", "accept"]),
            ("--json '{}' -H 'Content-Type: text/json'", "POST", &["Content-Type", "accept"]),
            ("-T a.txt", "PUT", &[]),
            ("--upload-file a.txt -X PATCH", "PATCH", &[]),
            ("-d a=1", "POST", &[]),
            ("-G -d a=1", "GET", &[]),
            ("-I", "HEAD", &[]),
            ("-sIG -d a=1", "HEAD", &[]),
            ("--no-progress-meter -o /dev/null -w '%{http_code}'", "GET", &[]),
        ] {
            let asked = read(&format!("curl {options} 'https://a.example/?b'")).unwrap();
            assert_eq!(asked.method.as_deref(), Some(method), "{options}");
            let names: Vec<&str> = asked.headers.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, headers, "{options}");
        }
        let asked = read("curl -G -d a=1 --data-urlencode b=2 'https://a.example/'").unwrap();
        assert_eq!(asked.url.as_deref(), Some("https://a.example/?a=1&b=2"));
        for (options, url) in [
            ("--url-query a=b", "https://a.example/?a=b"),
            ("--url-query 'a=b c&d' --url-query x", "https://a.example/?a=b+c%26d&x"),
            ("--url-query '+a=%20' -G -d c=d", "https://a.example/?a=%20&c=d"),
        ] {
            let asked = read(&format!("curl https://a.example/#part {options}")).unwrap();
            assert_eq!(asked.url.as_deref(), Some(url), "{options}");
        }
        let asked = read("curl -e https://app.example/cart https://a.example/").unwrap();
        assert_eq!(asked.origin.as_deref(), Some("https://app.example"));
    }

    #[test]
    fn a_command_that_is_none_is_refused() {
        for (command, want) in [
            (
                "curl https://a.example -H 'Sec-Fetch-Mode: no-cors'",
                "the command's request has the mode `no-cors`: it is no matter of CORS",
            ),
            (
                "curl https://a.example -H 'sec-fetch-mode: navigate'",
                "the command's request has the mode `navigate`: it is no matter of CORS",
            ),
            (
                "curl https://a.example -H 'origin: https://b.example' -H 'Origin: https://c.example'",
                "the command has two headers `origin`, `https://b.example` and `https://c.example`: give one",
            ),
            (
                "curl https://a.example --url-query @file",
                "`--url-query @file` has the text of a file, which is not read: write the text itself",
            ),
            ("wget https://a.example", "the command does not begin with `curl`"),
            ("curl 'https://a.example", "a quote of the command is not closed"),
            ("curl -s", "the command has no URL"),
            ("curl https://a.example -H", "`-H` has no value"),
            ("curl https://a.example -sSX", "`-X` has no value"),
            ("curl https://a.example --data", "`--data` has no value"),
            (
                "curl https://a.example https://b.example",
                "the command has two URLs, `https://a.example` and `https://b.example`: give one",
            ),
            (
                "curl https://a.example --next https://b.example",
                "the command has several requests (`--next`): give one",
            ),
            (
                "curl --frobnicate https://a.example",
                "`--frobnicate` is no option of curl that is known here: leave it out",
            ),
            (
                "curl -sK file https://a.example",
                "`-K` is no option of curl that is known here: leave it out",
            ),
        ] {
            assert_eq!(read(command).unwrap_err().to_string(), want);
        }
    }
}
