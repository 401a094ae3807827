//! Upstream: a back end on a free port that answers as the request's case says, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use anyhow::{Context, Result};

use crate::case;
use crate::text::from_latin1;

/// The request header that says which answer is wanted, and under which a request is remembered.
pub const CASE: &str = "x-case";

/// A running back end; it ends with the process.
#[derive(Clone, Debug)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

/// A request as it reached the back end.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its path, query included.
    pub path: String,
    /// Its header lines.
    pub headers: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct State {
    answers: BTreeMap<String, case::Upstream>,
    /// Cases whose answers are held back until they are released.
    held: Vec<String>,
    received: BTreeMap<String, Vec<Received>>,
}

// === impl Received ===

impl Received {
    /// The value of its first line of that name, as text; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        let line = self.headers.iter().find(|(present, _)| present.eq_ignore_ascii_case(name));
        line.map(|(_, value)| from_latin1(value)).unwrap_or_default()
    }
}

// === impl Upstream ===

impl Upstream {
    /// Starts one. A request of an unknown case is answered 200 without headers.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
        let address = listener.local_addr()?;
        let upstream = Self { address, state: Arc::default() };
        let served = upstream.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let served = served.clone();
                thread::spawn(move || {
                    // A connection that breaks ends; the client side reports what that did.
                    let _ = served.serve(connection);
                });
            }
        });
        Ok(upstream)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests of `case` like this from now on.
    pub fn answer(&self, case: &str, answer: case::Upstream) {
        self.state().answers.insert(case.to_owned(), answer);
    }

    /// Holds answers to `case` back until [`release`](Self::release).
    pub fn hold(&self, case: &str) {
        self.state().held.push(case.to_owned());
    }

    /// Lets the answers to `case` go.
    pub fn release(&self, case: &str) {
        self.state().held.retain(|held| held != case);
        self.state.1.notify_all();
    }

    /// Waits until a request of `case` has arrived.
    pub fn wait_for_request(&self, case: &str) {
        let mut state = self.state();
        while !state.received.contains_key(case) {
            state = self.wait(state);
        }
    }

    /// The requests of `case` so far.
    pub fn received(&self, case: &str) -> Vec<Received> {
        self.state().received.get(case).cloned().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wait<'g>(&self, state: MutexGuard<'g, State>) -> MutexGuard<'g, State> {
        self.state.1.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Answers the requests of one connection, one after the other.
    fn serve(&self, mut connection: TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(head) = read_head(&mut reader)? {
            let Some(request) = parse(&head) else {
                return connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            };
            let body = body_len(&request);
            let answer = self.answer_to(request);
            connection.write_all(&response(&answer))?;
            // The next request begins behind it.
            io::copy(&mut reader.by_ref().take(body), &mut io::sink())?;
        }
        Ok(())
    }

    /// Remembers a request, waits while its case is held, and says what to answer.
    fn answer_to(&self, request: Received) -> case::Upstream {
        let name = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CASE));
        let name = name.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let name = name.unwrap_or_default();
        let mut state = self.state();
        if !name.is_empty() {
            state.received.entry(name.clone()).or_default().push(request);
            self.state.1.notify_all();
        }
        while state.held.contains(&name) {
            state = self.wait(state);
        }
        let otherwise = || case::Upstream { status: 200, headers: Vec::new() };
        state.answers.get(&name).cloned().unwrap_or_else(otherwise)
    }
}

/// The bytes up to the empty line; `None` where the connection ends before a request begins.
pub(crate) fn read_head(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(head))
}

fn parse(head: &[u8]) -> Option<Received> {
    let mut lines = vec![httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut lines);
    request.parse(head).ok()?;
    let headers =
        request.headers.iter().map(|line| (line.name.to_owned(), line.value.to_vec())).collect();
    let path = request.path?.to_owned();
    Some(Received { path, headers })
}

/// The length that a request states.
fn body_len(request: &Received) -> u64 {
    request.text("content-length").parse().unwrap_or_default()
}

fn response(answer: &case::Upstream) -> Vec<u8> {
    let case::Upstream { status, headers } = answer;
    let mut bytes = format!("HTTP/1.1 {status} -\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    if !matches!(status, 101 | 204 | 304) {
        bytes.extend_from_slice(b"content-length: 0\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}
