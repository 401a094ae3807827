//! Probe: one of the requests that every implementation is asked, over a raw socket so that no two lines of a header merge.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The front end of the settings.
pub(super) const APP: &str = "https://app.example";
/// A front end that no setting names.
pub(super) const FOREIGN: &str = "https://evil.example";

/// The origin in the settings of an implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Listed,
    Any,
    Slash,
    Upper,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// Its name, such as `P1`.
    pub(super) id: &'static str,
    /// The head of its column.
    pub(super) head: &'static str,
    /// The subject, in one line.
    pub(super) asks: &'static str,
    pub(super) setting: Setting,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
}

/// A status and the header lines of the CORS protocol.
pub(super) type Response = (u16, Vec<(String, String)>);

const ORIGIN: &str = "Origin";
const METHOD: &str = "Access-Control-Request-Method";
const HEADERS: &str = "Access-Control-Request-Headers";
const NETWORK: &str = "Access-Control-Request-Private-Network";

/// All of them, in the order of the page.
pub(super) const PROBES: [Probe; 17] = [
    preflight(
        "P1",
        "foreign origin",
        "preflight of a `PUT` from `https://evil.example`, which no setting names",
        &[(ORIGIN, FOREIGN), (METHOD, "PUT"), (HEADERS, "x-a")],
    ),
    preflight(
        "P2",
        "other method",
        "preflight of a `DELETE` from `https://app.example`, where `GET, PUT` are listed",
        &[(ORIGIN, APP), (METHOD, "DELETE")],
    ),
    preflight(
        "P3",
        "other header",
        "preflight of a `PUT` with `x-b`, where `x-a, content-type` are listed",
        &[(ORIGIN, APP), (METHOD, "PUT"), (HEADERS, "x-b")],
    ),
    get(
        "P4",
        "foreign origin",
        "`GET` from `https://evil.example`: the status, and the handler",
        "/ok",
        &[(ORIGIN, FOREIGN)],
    ),
    get(
        "P5",
        "no `Origin`",
        "`GET` without `Origin`: `Vary: Origin`, and an origin that is sent all the same",
        "/ok",
        &[],
    ),
    get(
        "P6",
        "error 500",
        "`GET` from `https://app.example` of a handler that fails",
        "/boom",
        &[(ORIGIN, APP)],
    ),
    get(
        "P7",
        "error 404",
        "`GET` from `https://app.example` of a path without a handler",
        "/missing",
        &[(ORIGIN, APP)],
    ),
    preflight(
        "P8",
        "plain `OPTIONS`",
        "`OPTIONS` with `Origin` and without `Access-Control-Request-Method`",
        &[(ORIGIN, APP)],
    ),
    preflight(
        "P9",
        "names as written",
        "preflight with `X-A,content-type`: other case and order than listed",
        &[(ORIGIN, APP), (METHOD, "PUT"), (HEADERS, "X-A,content-type")],
    ),
    Probe {
        setting: Setting::Any,
        ..get(
            "P10",
            "any origin",
            "the setting for any origin, with credentials: `GET` from `https://app.example`",
            "/ok",
            &[(ORIGIN, APP)],
        )
    },
    Probe {
        setting: Setting::Any,
        ..get(
            "P11",
            "any: `null`",
            "the same setting: `GET` with `Origin: null`",
            "/ok",
            &[(ORIGIN, "null")],
        )
    },
    Probe {
        setting: Setting::Slash,
        ..get(
            "P12",
            "trailing slash",
            "the origin written `https://app.example/`: `GET` from `https://app.example`",
            "/ok",
            &[(ORIGIN, APP)],
        )
    },
    Probe {
        setting: Setting::Upper,
        ..get(
            "P13",
            "upper case",
            "the origin written `HTTPS://App.Example`: `GET` from `https://app.example`",
            "/ok",
            &[(ORIGIN, APP)],
        )
    },
    get(
        "P14",
        "`Vary`",
        "`GET` from `https://app.example`, whose handler sets `Vary: Accept-Encoding`",
        "/ok",
        &[(ORIGIN, APP)],
    ),
    get(
        "P15",
        "own header",
        "`GET` from `https://app.example`, whose handler sets `Access-Control-Allow-Origin: *`",
        "/acao",
        &[(ORIGIN, APP)],
    ),
    preflight(
        "P16",
        "allowed",
        "preflight of a `PUT` with `x-a` from `https://app.example`: all listed",
        &[(ORIGIN, APP), (METHOD, "PUT"), (HEADERS, "x-a")],
    ),
    preflight(
        "P17",
        "private network",
        "the same with `Access-Control-Request-Private-Network: true`",
        &[(ORIGIN, APP), (METHOD, "PUT"), (HEADERS, "x-a"), (NETWORK, "true")],
    ),
];

const fn preflight(
    id: &'static str,
    head: &'static str,
    asks: &'static str,
    headers: &'static [(&'static str, &'static str)],
) -> Probe {
    let (method, path) = ("OPTIONS", "/ok");
    Probe { id, head, asks, setting: Setting::Listed, method, path, headers }
}

const fn get(
    id: &'static str,
    head: &'static str,
    asks: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
) -> Probe {
    Probe { id, head, asks, setting: Setting::Listed, method: "GET", path, headers }
}

// === impl Setting ===

impl Setting {
    pub(super) const ALL: [Self; 4] = [Self::Listed, Self::Any, Self::Slash, Self::Upper];

    /// The origin as the settings have it.
    pub(super) fn origin(self) -> &'static str {
        match self {
            Self::Listed => APP,
            Self::Any => "*",
            Self::Slash => "https://app.example/",
            Self::Upper => "HTTPS://App.Example",
        }
    }
}

// === impl Probe ===

impl Probe {
    /// The value of a request header.
    pub(super) fn header(&self, name: &str) -> Option<&'static str> {
        let line = self.headers.iter().find(|(present, _)| present.eq_ignore_ascii_case(name));
        line.map(|(_, value)| *value)
    }

    /// Sends it over a connection of its own.
    ///
    /// # Errors
    ///
    /// Fails if the answer is no HTTP response.
    pub(super) fn ask(&self, address: SocketAddr) -> Result<Response> {
        let mut connection = TcpStream::connect(address)?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut request =
            format!("{} {} HTTP/1.1\r\nHost: api.example\r\n", self.method, self.path);
        for (name, value) in self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("Connection: close\r\n\r\n");
        connection.write_all(request.as_bytes())?;
        let mut received = Vec::new();
        match connection.read_to_end(&mut received) {
            // What came before counts.
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset) => {}
            read => drop(read?),
        }
        response(&received)
    }
}

/// The response that those bytes begin with.
fn response(received: &[u8]) -> Result<Response> {
    let text = String::from_utf8_lossy(received);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        bail!("no response in {} bytes", received.len())
    };
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.context("a status line")?.parse().context("a status")?;
    let lines = lines.filter_map(|line| line.split_once(':'));
    let lines = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let is_cors = |name: &str| name == "vary" || name.starts_with("access-control-");
    Ok((status, lines.filter(|(name, _)| is_cors(name)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_header_stay_apart_and_other_headers_are_left_out() {
        let bytes = b"HTTP/1.1 200 OK\r\nVary: a\r\nServer: x\r\nvary:b\r\nAccess-Control-Max-Age: 1\r\n\r\n{}";
        let (status, lines) = response(bytes).unwrap();
        assert_eq!(status, 200);
        let lines: Vec<String> =
            lines.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(lines, ["vary=a", "vary=b", "access-control-max-age=1"]);
        assert!(response(b"").is_err());
    }

    #[test]
    fn probes_are_numbered() {
        for (at, probe) in PROBES.iter().enumerate() {
            assert_eq!(probe.id, format!("P{}", at + 1));
        }
    }
}
