//! Ports of this machine that nobody listens on.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

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
    fn a_free_port_is_kept() {
        let port = free();
        assert_eq!(preferred(port), port);
    }
}
