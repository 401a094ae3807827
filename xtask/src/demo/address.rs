//! The addresses of the command line.

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context, Result};

/// Reads `127.0.0.1:8600` or `localhost:8600`, for clap.
pub(super) fn parse(written: &str) -> Result<SocketAddr, String> {
    let addresses: Vec<SocketAddr> = written
        .to_socket_addrs()
        .map_err(|_| format!("`{written}` is not an address such as 127.0.0.1:8600"))?
        .collect();
    // Back ends of development listen on 127.0.0.1 more often than on ::1, whatever `localhost` says.
    let preferred = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    preferred.copied().ok_or_else(|| format!("`{written}` has no address"))
}

/// Refuses an address that is not free.
pub(super) fn ensure_free(option: &str, address: SocketAddr) -> Result<()> {
    TcpListener::bind(address).with_context(|| format!("{option} {address}"))?;
    Ok(())
}

/// Whether a server listens there.
pub(super) fn answers(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (why, written, want) in [
            ("as usual", "127.0.0.1:8600", Some("127.0.0.1:8600")),
            ("IPv6", "[::1]:8600", Some("[::1]:8600")),
            ("a name, IPv4 first", "localhost:8000", Some("127.0.0.1:8000")),
            ("no port", "127.0.0.1", None),
            ("a port only", "8000", None),
            ("a URL", "http://127.0.0.1:8000", None),
            ("a port that is none", "127.0.0.1:99999", None),
        ] {
            let got = parse(written).ok().map(|address| address.to_string());
            assert_eq!(got.as_deref(), want, "{why}");
        }
    }

    #[test]
    fn a_taken_address_is_refused_by_the_name_of_its_option() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = ensure_free("--listen", address).unwrap_err();
        assert_eq!(error.to_string(), format!("--listen {address}"));
    }
}
