//! Http2: a client and a back end that speak HTTP/2 without TLS, and without asking first whether the other side does.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use anyhow::{Context, Result};
use http::{HeaderName, HeaderValue, Method, Uri};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::answer::Answer;
use crate::case::Request;
use crate::client::TIMEOUT;

/// The request header that says which `Vary` lines the back end of [`serve`] sends: separated by `|`.
pub const VARY_LINES: &str = "x-vary-lines";

/// Sends `request` with `more` header lines over a connection of its own.
pub fn send(address: SocketAddr, request: &Request, more: &[(&str, &str)]) -> Result<Answer> {
    let message = message(request, more)?;
    let runtime = runtime()?;
    let answer = async { tokio::time::timeout(TIMEOUT, exchange(address, message)).await };
    runtime.block_on(answer).context("no answer in time")?
}

/// Starts a back end that answers each request 200, with the `Vary` lines that the request names, and says where it listens. It ends with the
/// process.
pub fn serve() -> Result<SocketAddr> {
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        runtime.block_on(async move {
            while let Ok((connection, _)) = listener.accept().await {
                // A connection that breaks ends; the client side reports what that did.
                tokio::spawn(answer_all(connection));
            }
        });
    });
    Ok(address)
}

async fn answer_all(connection: TcpStream) -> Result<()> {
    let mut streams = h2::server::handshake(connection).await?;
    while let Some(stream) = streams.accept().await {
        let (request, mut respond) = stream?;
        let lines = request.headers().get(VARY_LINES).map(HeaderValue::to_str).transpose()?;
        let mut response = http::Response::new(());
        for line in lines.unwrap_or_default().split('|') {
            response.headers_mut().append(http::header::VARY, line.parse()?);
        }
        respond.send_response(response, true)?;
    }
    Ok(())
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
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
