//! `probe`: does an address answer? For `helm test` and for images without a shell.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use http_body_util::Empty;
use hyper::Uri;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, sleep, timeout_at};

use crate::args::ProbeArgs;

/// Interval of retries.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

/// Asks each address until it answers with success or the time is up, and says what came of it. `true`: all of them did.
///
/// # Errors
///
/// Fails if `out` cannot be written.
pub async fn probe(args: &ProbeArgs, out: &mut impl Write) -> Result<bool> {
    let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    let start = Instant::now();
    let deadline = start.checked_add(Duration::from_secs(args.seconds)).unwrap_or(start);
    let mut all = true;
    for url in &args.urls {
        let answer = wait_for(&client, url, deadline).await;
        all &= answer.is_ok();
        writeln!(out, "{url}: {}", answer.unwrap_or_else(|problem| problem))?;
    }
    Ok(all)
}

/// The status of the first successful answer, or what the last attempt came to.
async fn wait_for(client: &HttpClient, url: &Uri, deadline: Instant) -> Result<String, String> {
    let mut problem = "no answer".to_owned();
    let succeeded = timeout_at(deadline, async {
        loop {
            match client.get(url.clone()).await {
                Ok(answer) if answer.status().is_success() => return answer.status().to_string(),
                Ok(answer) => problem = answer.status().to_string(),
                Err(error) => problem = format!("{:#}", anyhow::Error::from(error)),
            }
            sleep(POLL_INTERVAL).await;
        }
    });
    succeeded.await.map_err(|_| problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::net::TcpListener;

    /// An address whose `/ready` fails the first time it is asked, and what was said of `paths` of it.
    async fn said(paths: &[&str], seconds: u64) -> (bool, String) {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let ready = || async {
            let again = ASKED.swap(true, Ordering::SeqCst);
            if again { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
        };
        let router =
            Router::new().route("/ready", get(ready)).route("/ok", get(|| async { "ok\n" }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let urls = paths.iter().map(|path| format!("{base}{path}").parse().unwrap()).collect();
        let mut out = Vec::new();
        let all = probe(&ProbeArgs { urls, seconds }, &mut out).await.unwrap();
        (all, String::from_utf8(out).unwrap().replace(&base, ""))
    }

    #[tokio::test]
    async fn an_address_is_asked_until_it_answers_with_success() {
        assert_eq!(
            said(&["/ok", "/ready"], 60).await,
            (true, "/ok: 200 OK\n/ready: 200 OK\n".to_owned())
        );
    }

    #[tokio::test]
    async fn an_address_that_fails_to_the_end_is_named_with_its_last_answer() {
        assert!(!said(&["/nowhere", "/ok"], 1).await.0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let mut out = Vec::new();
        let args = ProbeArgs { urls: vec![closed.parse().unwrap()], seconds: 1 };
        assert!(!probe(&args, &mut out).await.unwrap());
        let said = String::from_utf8(out).unwrap();
        assert!(said.starts_with(&closed) && said.contains("refused"), "{said}");
    }
}
