//! Client: sends exactly the bytes it is given, and reads the response as bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::answer::Answer;
use crate::case::Request;

/// Timeout for an answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends `request` with `more` header lines over a connection of its own.
pub fn send(address: SocketAddr, request: &Request, more: &[(&str, &str)]) -> Result<Answer> {
    exchange(address, &bytes(request, more), request.method == "HEAD")
}

/// Sends `bytes` over a connection of its own and reads one response.
pub fn exchange(address: SocketAddr, bytes: &[u8], head_only: bool) -> Result<Answer> {
    let connection = TcpStream::connect(address).context("connect")?;
    exchange_over(connection, bytes, head_only, TIMEOUT)
}

/// The same over a connection that is there, where each part of the answer may take `patience`.
pub fn exchange_over(
    mut connection: TcpStream,
    bytes: &[u8],
    head_only: bool,
    patience: Duration,
) -> Result<Answer> {
    connection.set_read_timeout(Some(patience))?;
    connection.set_nodelay(true)?;
    // A server that refuses early may close before it has read everything; its answer counts.
    let sent = connection.write_all(bytes);
    match receive(&mut connection, head_only) {
        Ok(answer) => Ok(answer),
        Err(error) => sent.map_err(Into::into).and(Err(error)),
    }
}

/// A request as bytes.
pub fn bytes(request: &Request, more: &[(&str, &str)]) -> Vec<u8> {
    let Request { method, authority, path, headers, credentials: _ } = request;
    let mut bytes = format!("{method} ").into_bytes();
    bytes.extend_from_slice(path);
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    let mut line = |name: &str, value: &[u8]| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    };
    line("Host", authority.as_bytes());
    for (name, value) in headers {
        line(name, value);
    }
    for (name, value) in more {
        line(name, value.as_bytes());
    }
    let has_body = matches!(method.as_str(), "POST" | "PUT" | "PATCH");
    if has_body {
        line("Content-Length", b"0");
    }
    let upgrades = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection"));
    if !upgrades {
        line("Connection", b"close");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Reads one response, its body by `content-length`, by chunks, or to the end of the connection.
pub fn receive(connection: &mut TcpStream, head_only: bool) -> Result<Answer> {
    let mut received = Vec::new();
    let (mut answer, body_at) = loop {
        if let Some(head) = parse_head(&received)? {
            break head;
        }
        if more(connection, &mut received)? == 0 {
            bail!("the connection ended after {} bytes of a response", received.len());
        }
    };
    let mut body = received.split_off(body_at);
    let number = |name| answer.get(name).map(|value| String::from_utf8_lossy(&value).into_owned());
    let no_body = head_only || matches!(answer.status, 101 | 204 | 304);
    if no_body {
        body.clear();
    } else if let Some(length) = number("content-length") {
        let length: usize = length.parse().context("content-length")?;
        while body.len() < length && more(connection, &mut body)? > 0 {}
        if body.len() < length {
            bail!("the body ended after {} of {length} bytes", body.len());
        }
    } else if number("transfer-encoding").is_some() {
        while !body.ends_with(b"0\r\n\r\n") && more(connection, &mut body)? > 0 {}
        body.truncate(body.len().saturating_sub(b"0\r\n\r\n".len()));
    } else {
        while more(connection, &mut body)? > 0 {}
    }
    answer.body = body;
    Ok(answer)
}

fn parse_head(received: &[u8]) -> Result<Option<(Answer, usize)>> {
    let mut lines = vec![httparse::EMPTY_HEADER; 256];
    let mut response = httparse::Response::new(&mut lines);
    Ok(match response.parse(received)? {
        httparse::Status::Partial => None,
        httparse::Status::Complete(body_at) => {
            let headers = response.headers.iter();
            let headers = headers.map(|line| (line.name.to_owned(), line.value.to_vec())).collect();
            let status = response.code.context("a response has a status")?;
            Some((Answer { status, headers, ..Answer::default() }, body_at))
        }
    })
}

fn more(connection: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    let count = connection.read(&mut buffer)?;
    received.extend_from_slice(&buffer[..count]);
    Ok(count)
}
