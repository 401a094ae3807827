//! Ports of this machine that nobody listens on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port of 127.0.0.1 that is free now.
///
/// # Panics
///
/// When the machine has no free port left.
#[must_use]
pub fn free() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port of 127.0.0.1");
    listener.local_addr().expect("the address of a bound socket").port()
}

/// `default` where it is free, else another port that is.
#[must_use]
pub fn preferred(default: u16) -> u16 {
    if is_free(SocketAddr::from((Ipv4Addr::LOCALHOST, default))) { default } else { free() }
}

/// Whether a server could listen on `address`.
#[must_use]
pub fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
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
    fn a_free_port_is_kept() {
        let port = free();
        assert_eq!(preferred(port), port);
    }
}
