//! Http2: sends a request over HTTP/2, without TLS and without asking first whether the server speaks it.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use http::{HeaderName, HeaderValue, Method, Uri};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::case::Request;
use crate::client::PATIENCE;

/// Sends `request` with `more` header lines over a connection of its own.
///
/// # Errors
///
/// When HTTP/2 cannot say it, or there is no answer.
pub fn send(address: SocketAddr, request: &Request, more: &[(&str, &str)]) -> Result<Answer> {
    let message = message(request, more)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = async { tokio::time::timeout(PATIENCE, exchange(address, message)).await };
    runtime.block_on(answer).context("no answer in time")?
}

async fn exchange(address: SocketAddr, message: http::Request<()>) -> Result<Answer> {
    let connection = TcpStream::connect(address).await.context("connect")?;
    let (mut streams, connection) = h2::client::handshake(connection).await?;
    // It ends with the runtime.
    tokio::spawn(connection);
    let (response, _) = streams.send_request(message, true)?;
    let (head, mut rest) = response.await?.into_parts();
    let mut body = Vec::new();
    while let Some(data) = rest.data().await {
        body.extend_from_slice(&data?);
    }
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    let headers = head.headers.iter().map(line).collect();
    Ok(Answer { status: head.status.as_u16(), headers, body, ..Answer::default() })
}

/// A request, its header names in lower case as HTTP/2 has them.
fn message(request: &Request, more: &[(&str, &str)]) -> Result<http::Request<()>> {
    let Request { method, authority, path, headers, credentials: _ } = request;
    let uri = Uri::builder().scheme("http").authority(authority.as_str());
    let uri = uri.path_and_query(path.as_slice()).build()?;
    let mut message =
        http::Request::builder().method(Method::from_bytes(method.as_bytes())?).uri(uri);
    for (name, value) in headers {
        message = message.header(name, value.as_slice());
    }
    for (name, value) in more {
        message = message.header(*name, *value);
    }
    Ok(message.body(())?)
}
