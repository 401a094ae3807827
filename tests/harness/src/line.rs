//! Line: a way to a server that can be cut.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use xtask::kubernetes::ApiServer;

/// Carries connections to a server on this machine.
#[derive(Debug)]
pub struct Line {
    port: u16,
    switch: Arc<Switch>,
}

#[derive(Debug, Default)]
struct Switch {
    is_cut: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Line {
    /// A line to an API server, and a kubeconfig that leads over it.
    pub fn to_api_server(server: &ApiServer) -> Result<(Self, PathBuf)> {
        let url = server.url();
        let (_, port) = url.rsplit_once(':').context("a URL has a port")?;
        let line = Self::to(port.parse()?)?;
        let kubeconfig = fs::read_to_string(server.kubeconfig())?;
        ensure!(kubeconfig.contains(&url), "the kubeconfig does not name {url}");
        let file = server.directory().join(format!("line-{}.kubeconfig", line.port));
        let here = format!("https://127.0.0.1:{}", line.port);
        fs::write(&file, kubeconfig.replace(&url, &here))?;
        Ok((line, file))
    }

    /// A line to the server at a port.
    fn to(server: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let switch = Arc::new(Switch::default());
        let accepting = Arc::clone(&switch);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if !accepting.is_cut.load(Ordering::SeqCst) {
                    // Where the server does not listen, neither does the line.
                    let _ = accepting.carry(connection, server);
                }
            }
        });
        Ok(Self { port, switch })
    }

    /// Ends every connection, and each new one at once.
    pub fn cut(&self) {
        self.switch.is_cut.store(true, Ordering::SeqCst);
        for connection in
            self.switch.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..)
        {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Carries connections again.
    pub fn mend(&self) {
        self.switch.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Switch {
    fn carry(&self, near: TcpStream, server: u16) -> io::Result<()> {
        let far = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server)))?;
        for (mut from, mut to) in
            [(near.try_clone()?, far.try_clone()?), (far.try_clone()?, near.try_clone()?)]
        {
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.extend([near, far]);
        if self.is_cut.load(Ordering::SeqCst) {
            for connection in connections.drain(..) {
                connection.shutdown(Shutdown::Both)?;
            }
        }
        Ok(())
    }
}
