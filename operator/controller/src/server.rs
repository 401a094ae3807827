//! Server: an address that is served within bounds, so that no client keeps it from answering the others.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use crate::tasks::Tasks;

/// Timeout for answers that have begun, after the stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause after a failed accept: most likely there are no file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// The name of a server's own task.
const NAME: &str = "server";
/// Most bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;

/// The limits of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Timeout for a handshake, for the head of a request, and for a connection without a request.
    pub(crate) silence: Duration,
    /// Maximum age of a connection. A client that never reads an answer has no other bound.
    pub(crate) age: Duration,
    /// Maximum number of connections at once; further ones wait. With [`MAX_HEAD`] it bounds memory.
    pub(crate) connections: usize,
    /// Maximum number of connections from one address; further ones are closed. All agents of a node, and its probes,
    /// may share one.
    pub(crate) of_one: usize,
}

/// An address that is served until it is stopped. Dropped, it ends at once.
#[derive(Debug)]
pub struct Server {
    /// Its address.
    pub addr: SocketAddr,
    stop: watch::Sender<()>,
    /// The server, and what it needs for as long as it is served.
    pub(crate) tasks: Tasks,
}

/// The shared state of connections.
#[derive(Clone)]
struct ConnectionContext {
    router: Router,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    /// Changes on a stop, or once the server's handle is dropped.
    stopped: watch::Receiver<()>,
}

// === impl Limits ===

impl Limits {
    /// The limits of a client among many.
    pub(crate) const DEFAULT: Self = Self {
        silence: Duration::from_secs(20),
        age: Duration::from_mins(5),
        connections: 1024,
        of_one: 256,
    };
}

// === impl Server ===

impl Server {
    /// Serves `router` at `addr`, by TLS where there is a configuration for that. Port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be served.
    pub(crate) async fn start(
        addr: SocketAddr,
        tls: Option<ServerConfig>,
        router: Router,
        limits: Limits,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let serving = ConnectionContext { router, tls, limits, stopped };
        let mut tasks = Tasks::default();
        tasks.spawn(NAME, serving.serve(listener));
        Ok(Self { addr, stop, tasks })
    }

    /// Answers what has been asked, and ends.
    pub async fn stop(mut self) {
        drop(self.stop);
        while self.tasks.runs(NAME) {
            self.tasks.ended().await;
        }
    }
}

// === impl ConnectionContext ===

impl ConnectionContext {
    async fn serve(mut self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        // Each connection holds a reference for as long as it lasts; one more is the map's own.
        let mut clients: HashMap<IpAddr, Arc<()>> = HashMap::new();
        loop {
            let has_room = connections.len() < self.limits.connections;
            tokio::select! {
                _ = self.stopped.changed() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if has_room => match accepted {
                    Ok((stream, client)) => {
                        clients.retain(|_, places| Arc::strong_count(places) > 1);
                        let places = clients.entry(client.ip()).or_default();
                        if Arc::strong_count(places) > self.limits.of_one {
                            debug!(%client, "closed a connection above the limit of its client");
                            continue;
                        }
                        let place = Arc::clone(places);
                        // Requests say where their client is.
                        let router = self.router.clone().layer(Extension(ConnectInfo(client)));
                        let serving = Self { router, ..self.clone() };
                        connections.spawn(async move {
                            serving.attend(stream).await;
                            drop(place);
                        });
                    }
                    Err(_) => sleep(ACCEPT_RETRY_DELAY).await,
                }
            }
        }
        // Nobody waits for what is not accepted any more.
        drop(listener);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(DRAIN_TIMEOUT, all).await;
    }

    async fn attend(self, stream: TcpStream) {
        let Some(tls) = &self.tls else { return self.converse(stream).await };
        if let Ok(Ok(stream)) = timeout(self.limits.silence, tls.accept(stream)).await {
            self.converse(stream).await;
        }
    }

    /// Answers requests until the client has no more, is silent for too long, or has been here for too long.
    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Self { router, tls: _, limits, mut stopped } = self;
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.silence)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // A client that breaks off is nobody's error.
            _ = connection.as_mut() => return,
            _ = stopped.changed() => {}
            () = sleep(limits.age) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(DRAIN_TIMEOUT, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::serving;
    use crate::tasks::TaskEnded;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;

    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n";
    /// A test that would wait for ever fails.
    const TIMEOUT: Duration = Duration::from_mins(1);

    async fn server(tls: Option<ServerConfig>, limits: Limits) -> Server {
        let router = Router::new().route("/", get(|| async { "answered\n" }));
        Server::start(([127, 0, 0, 1], 0).into(), tls, router, limits).await.unwrap()
    }

    async fn client(server: &Server, says: &str) -> TcpStream {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        stream
    }

    /// Everything that a client hears until its connection is closed.
    async fn heard(mut stream: TcpStream) -> String {
        let mut heard = Vec::new();
        // A connection that is reset is closed, too.
        let _ = timeout(TIMEOUT, stream.read_to_end(&mut heard)).await.expect("it is closed");
        String::from_utf8_lossy(&heard).into_owned()
    }

    #[tokio::test]
    async fn whoever_says_nothing_or_never_ends_is_hung_up_on() {
        let limits = Limits { silence: Duration::from_millis(50), ..Limits::DEFAULT };
        let plain = server(None, limits).await;
        let tls = Arc::new(serving::ServingCertificate::default()).config().unwrap();
        let tls = server(Some(tls), limits).await;
        for (why, server, says) in [
            ("nothing", &plain, ""),
            ("half a request", &plain, REQUEST),
            ("no handshake", &tls, ""),
            ("half a handshake", &tls, "\x16\x03\x01"),
        ] {
            assert_eq!(heard(client(server, says).await).await, "", "{why}");
        }
        let answered = heard(client(&plain, &format!("{REQUEST}\r\n")).await).await;
        assert!(answered.ends_with("answered\n"), "and then it says nothing more: {answered}");
        plain.stop().await;
        tls.stop().await;
    }

    #[tokio::test]
    async fn one_client_leaves_room_for_others() {
        let server = server(None, Limits { of_one: 2, ..Limits::DEFAULT }).await;
        let held = [client(&server, REQUEST).await, client(&server, REQUEST).await];
        assert_eq!(heard(client(&server, &format!("{REQUEST}\r\n")).await).await, "");
        let another = TcpSocket::new_v4().unwrap();
        another.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut another = another.connect(server.addr).await.unwrap();
        another.write_all(format!("{REQUEST}connection: close\r\n\r\n").as_bytes()).await.unwrap();
        assert!(heard(another).await.ends_with("answered\n"));
        drop(held);
        // Its place is free as soon as the server has seen that it went.
        let answered = timeout(TIMEOUT, async {
            loop {
                let stream = client(&server, &format!("{REQUEST}connection: close\r\n\r\n")).await;
                if heard(stream).await.ends_with("answered\n") {
                    return;
                }
            }
        });
        answered.await.expect("it is answered again");
        server.stop().await;
    }

    #[tokio::test]
    async fn a_connection_has_an_end_even_where_its_client_goes_on() {
        let limits = Limits { age: Duration::from_millis(50), ..Limits::DEFAULT };
        let server = server(None, limits).await;
        assert_eq!(heard(client(&server, REQUEST).await).await, "");
        server.stop().await;
    }

    #[tokio::test]
    async fn more_connections_than_there_may_be_wait_for_the_end_of_others() {
        let limits =
            Limits { connections: 2, silence: Duration::from_millis(50), ..Limits::DEFAULT };
        let server = server(None, limits).await;
        let silent = [client(&server, REQUEST).await, client(&server, "").await];
        let waiting = client(&server, &format!("{REQUEST}connection: close\r\n\r\n")).await;
        let answered = heard(waiting).await;
        assert!(answered.ends_with("answered\n"), "{answered}");
        for stream in silent {
            assert_eq!(heard(stream).await, "");
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let server = server(None, Limits::DEFAULT).await;
        let long = format!("{REQUEST}x: {}", "x".repeat(MAX_HEAD));
        let answered = heard(client(&server, &long).await).await;
        assert!(answered.starts_with("HTTP/1.1 431 "), "{answered}");
        server.stop().await;
    }

    #[tokio::test]
    async fn that_nobody_is_served_any_more_is_said() {
        let mut server = server(None, Limits::DEFAULT).await;
        server.stop.send_replace(());
        assert_eq!(timeout(TIMEOUT, server.tasks.ended()).await, Ok(TaskEnded("server")));
        timeout(TIMEOUT, server.stop()).await.expect("there is nothing to wait for");
    }
}
