//! Site: a web server of a few pages on a free port, which remembers what browsers asked it.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::upstream::read_head;
use corsward_browser::combined;

/// A resource: its media type and its text.
pub type Resource = (&'static str, String);

/// A running site; it ends with the process.
#[derive(Clone, Debug)]
pub struct Site {
    address: SocketAddr,
    visits: Arc<Mutex<Vec<Visit>>>,
}

/// A request as it reached the site.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    headers: Vec<(String, Vec<u8>)>,
}

// === impl Site ===

impl Site {
    /// Starts one; `find` says what is at a path.
    pub fn start(find: impl Fn(&str) -> Option<Resource> + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
        let site = Self { address: listener.local_addr()?, visits: Arc::default() };
        let (served, find) = (site.clone(), Arc::new(find));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (served, find) = (served.clone(), Arc::clone(&find));
                // A connection that breaks ends; the browser reports what that did.
                thread::spawn(move || served.serve(connection, &*find).ok());
            }
        });
        Ok(site)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last request for `path`, if there was one.
    pub fn visit(&self, path: &str) -> Option<Visit> {
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.iter().rev().find(|visit| visit.path == path).cloned()
    }

    /// Answers the requests of one connection, one after the other.
    fn serve(
        &self,
        mut connection: TcpStream,
        find: &(impl Fn(&str) -> Option<Resource> + ?Sized),
    ) -> io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(head) = read_head(&mut reader)? {
            let Some(visit) = Visit::parse(&head) else {
                return connection.write_all(b"HTTP/1.1 400 -\r\ncontent-length: 0\r\n\r\n");
            };
            let length = visit.header("content-length").and_then(|length| length.parse().ok());
            io::copy(&mut reader.by_ref().take(length.unwrap_or(0)), &mut io::sink())?;
            let (status, (media_type, text)) = match find(&visit.path) {
                Some(resource) => (200, resource),
                None => (404, ("text/plain", String::new())),
            };
            self.visits.lock().unwrap_or_else(PoisonError::into_inner).push(visit);
            let length = text.len();
            write!(
                connection,
                "HTTP/1.1 {status} -\r\ncontent-type: {media_type}\r\n\
                 cache-control: no-store\r\ncontent-length: {length}\r\n\r\n{text}"
            )?;
        }
        Ok(())
    }
}

// === impl Visit ===

impl Visit {
    fn parse(head: &[u8]) -> Option<Self> {
        let mut lines = vec![httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut lines);
        request.parse(head).ok()?;
        let headers = request.headers.iter();
        Some(Self {
            method: request.method?.to_owned(),
            path: request.path?.to_owned(),
            headers: headers.map(|line| (line.name.to_owned(), line.value.to_vec())).collect(),
        })
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        combined(&self.headers, name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }
}
