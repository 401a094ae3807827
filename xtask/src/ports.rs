//! Free ports of this machine.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::paths;

/// The range of candidates: below the ports that systems give to the client's end of a connection (Linux from 32768 on, others from 49152
/// on), which come and go at any moment.
const RANGE: Range<u16> = 10_000..30_000;

/// A port of 127.0.0.1 that is free now, and reserved for this value's lifetime, across all processes of xtask: two Envoys would share a
/// port silently (`SO_REUSEPORT`), and its requests.
///
/// # Panics
///
/// Panics if the machine has no free port left, or the cache cannot be written.
pub fn free() -> u16 {
    static GIVEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = paths::cache().join("ports");
    fs::create_dir_all(&folder).expect("a folder in the cache");
    // Each process begins somewhere else.
    let first = usize::try_from(std::process::id()).unwrap_or_default().wrapping_mul(101);
    let candidates = RANGE.cycle().skip(first % RANGE.len()).take(RANGE.len());
    for port in candidates {
        let file = File::create(folder.join(port.to_string())).expect("a file in the cache");
        if file.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            // It is locked until we end.
            given.push(file);
            return port;
        }
    }
    panic!("no port of 127.0.0.1 between {} and {} is free", RANGE.start, RANGE.end);
}

/// `default` if it is free, else a free port.
///
/// `localhost` is `::1` first for browsers, and development servers often listen there only: with
/// one of them on the same port, a browser would never come to us.
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
