//! Ports of this machine that nobody listens on.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::paths;

/// A port of 127.0.0.1 that is free now, and that is given to nobody else, in this process or in another one of ours, for as long as this
/// one lives: two Envoys would share a port without a word (`SO_REUSEPORT`), and the requests that come to it.
///
/// # Panics
///
/// When the machine has no free port left, or the cache cannot be written.
#[must_use]
pub fn free() -> u16 {
    static GIVEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let folder = paths::cache().join("ports");
    fs::create_dir_all(&folder).expect("a folder in the cache");
    loop {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of 127.0.0.1");
        let port = listener.local_addr().expect("the address of a bound socket").port();
        let file = File::create(folder.join(port.to_string())).expect("a file in the cache");
        if file.try_lock().is_ok() {
            // It is locked until we end.
            GIVEN.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            return port;
        }
    }
}

/// `default` where nobody listens on it, else another port.
///
/// `localhost` is `::1` first for browsers, and development servers often listen there only: with
/// one of them on the same port, a browser would never come to us.
#[must_use]
pub fn preferred(default: u16) -> u16 {
    let taken = |ip: IpAddr| {
        TcpListener::bind((ip, default)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    };
    let localhost: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    if localhost.into_iter().any(taken) { free() } else { default }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(preferred(port), port);
    }

    #[test]
    fn no_port_is_given_twice() {
        let mut given: Vec<u16> = (0..300).map(|_| free()).collect();
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 300);
    }

    #[test]
    fn a_free_port_is_kept() {
        let port = free();
        assert_eq!(preferred(port), port);
    }
}
