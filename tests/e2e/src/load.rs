//! Load: requests that do not cease while a scenario changes things under them, and what came of each.

use std::fmt;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, ensure};
use corsward_test_harness::answer::Answer;
use corsward_test_harness::case::Request;
use corsward_test_harness::client;
use corsward_test_harness::cluster::socks_proxy::{SocksProxy, request};

/// A connection that is kept, or one for each request.
const CLIENTS: [bool; 4] = [true, true, true, false];

/// A client's pause between two requests: the load is steady, and leaves the machine to others.
const PACE: Duration = Duration::from_millis(10);

/// Number of flaws that are kept in words.
const SHOWN: usize = 5;

/// A request that is sent over and over, and what is owed to it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    host: String,
    request: Request,
    /// The status; `None`: any that is no failure of a proxy.
    status: u16,
    owed: Owed,
}

/// The expected `Access-Control-Allow-Origin` of a request.
#[derive(Clone, Debug)]
enum Owed {
    /// Exactly one line, with this value.
    One(String),
    /// None.
    None,
    /// The scenario counts failed requests only.
    Any,
}

/// Clients that send questions in turn until they are told to end.
#[derive(Debug)]
pub(crate) struct Load {
    ending: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    clients: Vec<JoinHandle<()>>,
}

/// The results of the requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were sent.
    pub(crate) sent: usize,
    /// Those without an answer, or with an unexpected status.
    pub(crate) lost: usize,
    /// Those whose answer lacks the header.
    pub(crate) missing: usize,
    /// Those whose answer has it twice.
    pub(crate) doubled: usize,
    /// Those whose answer has an unexpected value.
    pub(crate) wrong: usize,
    /// The first of these, in words.
    flaws: Vec<String>,
}

/// A flaw of an answer.
enum Flaw {
    Lost,
    Missing,
    Doubled,
    Wrong,
}

/// One client, with a connection that it may keep.
struct Client {
    socks_proxy: SocksProxy,
    keeps: bool,
    connection: Option<(String, TcpStream)>,
}

// === impl Question ===

impl Question {
    /// `GET path` of a page of `origin`; 200 and no `Access-Control-Allow-Origin` are owed.
    pub(crate) fn get(host: &str, path: &str, origin: &str) -> Self {
        let request = request("GET", host, path, Some(origin), &[]);
        Self { host: host.to_owned(), request, status: 200, owed: Owed::None }
    }

    /// A page of `origin` asks beforehand whether it may `PUT`; 204 and no `Access-Control-Allow-Origin` are owed.
    pub(crate) fn preflight(host: &str, path: &str, origin: &str) -> Self {
        let asks = [("access-control-request-method", "PUT")];
        let request = request("OPTIONS", host, path, Some(origin), &asks);
        Self { host: host.to_owned(), request, status: 204, owed: Owed::None }
    }

    /// Sets an authority other than the host of the connection.
    pub(crate) fn authority(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.request.authority);
        self
    }

    /// With one more header line.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Exactly one `Access-Control-Allow-Origin` is owed, with the value.
    pub(crate) fn allowed(mut self, origin: &str) -> Self {
        self.owed = Owed::One(origin.to_owned());
        self
    }

    /// The status alone is owed.
    pub(crate) fn whoever_may_read(mut self) -> Self {
        self.owed = Owed::Any;
        self
    }

    fn check(&self, answer: &Answer) -> Option<Flaw> {
        if answer.status != self.status {
            return Some(Flaw::Lost);
        }
        let lines: Vec<_> = answer
            .lines(|name| name == "access-control-allow-origin")
            .map(|(_, value)| value)
            .collect();
        match (&self.owed, lines.as_slice()) {
            (Owed::Any, _) | (Owed::None, []) => None,
            (Owed::One(_), []) => Some(Flaw::Missing),
            (Owed::One(owed), [one]) if *one == owed.as_bytes() => None,
            (_, [_]) => Some(Flaw::Wrong),
            (_, _) => Some(Flaw::Doubled),
        }
    }
}

// === impl Load ===

impl Load {
    /// Sends the questions in turn, from several clients, with connections that are kept and others that are not.
    pub(crate) fn begin(socks_proxy: SocksProxy, questions: &[Question]) -> Self {
        let (ending, tally) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Tally>>::default());
        let clients = CLIENTS.into_iter().enumerate().map(|(number, keeps)| {
            let (ending, tally) = (Arc::clone(&ending), Arc::clone(&tally));
            let questions = questions.to_vec();
            thread::spawn(move || {
                let mut client = Client { socks_proxy, keeps, connection: None };
                for question in questions.iter().cycle().skip(number) {
                    if ending.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer = client.ask(question);
                    lock(&tally).count(question, answer);
                    thread::sleep(PACE);
                }
            })
        });
        Self { clients: clients.collect(), ending, tally }
    }

    /// The results of the requests so far.
    pub(crate) fn so_far(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// Ends it, after the requests that are under way.
    pub(crate) fn end(mut self) -> Tally {
        self.stop();
        self.so_far()
    }

    fn stop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            // One that panicked has said so.
            let _ = client.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Client ===

impl Client {
    fn ask(&mut self, question: &Question) -> Result<Answer> {
        let mut request = question.request.clone();
        let mut connection = self.connection(&question.host)?;
        let kept = if self.keeps { "keep-alive" } else { "close" };
        request.headers.push(("connection".to_owned(), kept.as_bytes().to_vec()));
        std::io::Write::write_all(&mut connection, &client::bytes(&request, &[]))?;
        let answer = client::receive(&mut connection, request.method == "HEAD")?;
        let closing = answer.get("connection").is_some_and(|value| value == b"close");
        if self.keeps && !closing {
            self.connection = Some((question.host.clone(), connection));
        }
        Ok(answer)
    }

    /// The one that was kept, or a new one.
    fn connection(&mut self, host: &str) -> Result<TcpStream> {
        match self.connection.take() {
            Some((of, connection)) if of == host => Ok(connection),
            _ => self.socks_proxy.connect(host, 80),
        }
    }
}

// === impl Tally ===

impl Tally {
    fn count(&mut self, question: &Question, answer: Result<Answer>) {
        self.sent += 1;
        let (flaw, seen) = match answer {
            Err(error) => (Some(Flaw::Lost), format!("{error:#}")),
            Ok(answer) => (
                question.check(&answer),
                format!(
                    "{} {:?}",
                    answer.status,
                    answer
                        .headers
                        .iter()
                        .map(|(name, value)| format!("{name}: {}", value.escape_ascii()))
                        .collect::<Vec<_>>()
                ),
            ),
        };
        let Some(flaw) = flaw else {
            return;
        };
        let (counter, word) = match flaw {
            Flaw::Lost => (&mut self.lost, "lost"),
            Flaw::Missing => (&mut self.missing, "missing"),
            Flaw::Doubled => (&mut self.doubled, "doubled"),
            Flaw::Wrong => (&mut self.wrong, "wrong"),
        };
        *counter += 1;
        if self.flaws.len() < SHOWN {
            let Request { method, authority, path, .. } = &question.request;
            let path = String::from_utf8_lossy(path);
            self.flaws.push(format!(
                "{word}, request {} ({method} {authority}{path}): {seen}",
                self.sent
            ));
        }
    }

    /// That every request was answered as it is owed.
    pub(crate) fn ensure_flawless(&self) -> Result<()> {
        let Self { sent, lost, missing, doubled, wrong, flaws } = self;
        ensure!(*sent > 0, "not one request was sent");
        let bad = lost + missing + doubled + wrong;
        ensure!(bad == 0, "{self}\n             {}", flaws.join("\n             "));
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, lost, missing, doubled, wrong, flaws: _ } = self;
        write!(
            f,
            "{sent} requests, {lost} lost, {missing} without the header, {doubled} with two, {wrong} with another value"
        )
    }
}
