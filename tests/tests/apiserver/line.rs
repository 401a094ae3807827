//! A line to a server that can be cut.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Carries connections to a server on this machine.
pub(crate) struct Line {
    port: u16,
    switch: Arc<Switch>,
}

#[derive(Default)]
struct Switch {
    is_cut: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Line {
    /// A line to the server at a port.
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
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
        Self { port, switch }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and each new one at once.
    pub(crate) fn cut(&self) {
        self.switch.is_cut.store(true, Ordering::SeqCst);
        for connection in self.switch.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
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
        let mut connections = self.connections.lock().unwrap();
        connections.extend([near, far]);
        if self.is_cut.load(Ordering::SeqCst) {
            for connection in connections.drain(..) {
                connection.shutdown(Shutdown::Both)?;
            }
        }
        Ok(())
    }
}
