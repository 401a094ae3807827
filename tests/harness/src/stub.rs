//! Stub: a server that answers each request by a function, for a test that needs answers of its own in the place of a real server's.

use std::io::{BufReader, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::thread;

use anyhow::{Context, Result};

use crate::upstream::read_head;

/// A request, as it reached the stub.
#[derive(Clone, Debug)]
pub struct Request {
    /// The address of the stub.
    pub server: SocketAddr,
    /// The request line and the header lines.
    pub head: String,
}

/// The answer to a request.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Its status, such as `200 OK`.
    pub status: &'static str,
    /// Its header lines, each with its end, beside those that say where it ends.
    pub headers: String,
    /// Its body.
    pub body: String,
}

/// Starts a stub on a free port, which answers one connection after the other, each once. It ends with the process.
pub fn serve(
    ip: impl Into<IpAddr>,
    answer: impl Fn(&Request) -> Reply + Send + 'static,
) -> Result<SocketAddr> {
    let listener = TcpListener::bind((ip.into(), 0)).context("listen")?;
    let server = listener.local_addr()?;
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let Ok(Some(head)) = read_head(&mut BufReader::new(&connection)) else { continue };
            let head = String::from_utf8_lossy(&head).into_owned();
            let Reply { status, headers, body } = answer(&Request { server, head });
            let len = body.len();
            // A client that is gone needs no answer.
            let _ = write!(
                connection,
                "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {len}\r\n\r\n{body}"
            );
        }
    });
    Ok(server)
}

// === impl Request ===

impl Request {
    /// Its target: the path with the query.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}
