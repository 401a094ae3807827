//! Server: a listener that answers as the cases say, and keeps the requests that arrive.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use corsward_browser::{HeaderLine, combined};

use crate::cases::Case;

/// The requests of each case, in their order.
pub(crate) type Arrivals = Mutex<BTreeMap<usize, Vec<Seen>>>;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) headers: Vec<HeaderLine>,
}

// === impl Seen ===

impl Seen {
    pub(crate) fn is_preflight(&self) -> bool {
        self.method == "OPTIONS"
            && combined(&self.headers, "access-control-request-method").is_some()
    }
}

/// A listener whose requests are answered as the cases say.
pub(crate) struct Server(TcpListener);

// === impl Server ===

impl Server {
    pub(crate) fn bind() -> Result<Self> {
        Ok(Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?))
    }

    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }

    /// Serves the page at `/` and case N at `/N`.
    pub(crate) fn serve(&self, cases: &[Case], origin: &str, page: &str) -> Result<Arc<Arrivals>> {
        let seen: Arc<Arrivals> = Arc::default();
        let shared = Arc::new((cases.to_vec(), origin.to_owned(), page.to_owned()));
        let (listener, kept) = (self.0.try_clone()?, Arc::clone(&seen));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (shared, seen) = (Arc::clone(&shared), Arc::clone(&kept));
                // A connection that breaks ends; the page reports what that did.
                thread::spawn(move || {
                    let (cases, origin, page) = &*shared;
                    serve(&connection, cases, origin, page, &seen).ok()
                });
            }
        });
        Ok(seen)
    }
}

/// Answers the requests of one connection, one after the other.
fn serve(
    mut connection: &TcpStream,
    cases: &[Case],
    origin: &str,
    page: &str,
    seen: &Arrivals,
) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            match line.trim_ascii_end() {
                [] => break,
                line => lines.push(String::from_utf8_lossy(line).into_owned()),
            }
        }
        let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers: Vec<HeaderLine> = lines
            .iter()
            .skip(1)
            .filter_map(|line| {
                line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))
            })
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
            .collect();
        let length = combined(&headers, "content-length");
        let length = length.and_then(|length| String::from_utf8(length).ok()?.parse().ok());
        io::copy(&mut io::Read::take(&mut reader, length.unwrap_or(0)), &mut io::sink())?;
        let arrived = Seen { method: method.to_owned(), headers };
        let at = path.strip_prefix('/').and_then(|at| at.parse::<usize>().ok());
        let Some((at, case)) = at.and_then(|at| Some((at, cases.get(at)?))) else {
            let head = "content-type: text/html\r\nset-cookie: a=b; Path=/";
            write!(
                connection,
                "HTTP/1.1 200 -\r\n{head}\r\ncontent-length: {}\r\n\r\n{page}",
                page.len()
            )?;
            continue;
        };
        let answer = if arrived.is_preflight() { &case.preflight } else { &case.actual };
        seen.lock().unwrap_or_else(PoisonError::into_inner).entry(at).or_default().push(arrived);
        let mut head = format!("HTTP/1.1 {} -\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {}\r\n", value.replace("{origin}", origin)));
        }
        if !matches!(answer.status, 204 | 304) {
            head.push_str("content-length: 0\r\n");
        }
        head.push_str("\r\n");
        connection.write_all(head.as_bytes())?;
    }
}
