//! Obstacle: a rule other than CORS that keeps a browser from sending a request. Its error in the console looks the same.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::plan::PageRequest;

/// A rule other than CORS that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Mixed Content: a page of `https` asks a URL of `http`.
    MixedContent,
    /// Local Network Access: a page asks an address of a local network, and the user is asked first.
    LocalNetwork(String),
    /// Fetch, "bad port".
    BadPort(u16),
}

/// Fetch, "bad port".
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

// === impl Obstacle ===

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MixedContent => write!(
                f,
                "mixed content: a page of `https` may not ask a URL of `http`; serve the URL over `https`"
            ),
            Self::LocalNetwork(host) => write!(
                f,
                "local network access: `{host}` is an address of a local network, and Chromium asks the user before a page of another network reaches it"
            ),
            Self::BadPort(port) => {
                write!(f, "blocked port: browsers send no request to port {port}")
            }
        }
    }
}

/// Finds the rules other than CORS that a URL and a page's origin show.
pub fn obstacles(page: &PageRequest) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let local = local_host(&page.url);
    let from_https = page.origin.as_str().starts_with("https://");
    if from_https && page.url.scheme() == "http" && !is_loopback(&page.url) {
        found.push(Obstacle::MixedContent);
    }
    if let Some(port) = page.url.port().filter(|port| BAD_PORTS.contains(port)) {
        found.push(Obstacle::BadPort(port));
    }
    let page_url = Url::parse(page.origin.as_str()).ok();
    if let Some(host) = local.filter(|_| page_url.as_ref().and_then(local_host).is_none()) {
        found.push(Obstacle::LocalNetwork(host));
    }
    found
}

/// Secure Contexts, "potentially trustworthy origin": this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The host, if its own text says that it is on a local network.
fn local_host(url: &Url) -> Option<String> {
    let address: Option<IpAddr> = match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    };
    let is_private = match address {
        Some(IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Some(IpAddr::V6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        None => {
            let last = url.host_str().and_then(|host| host.rsplit('.').next());
            last == Some("local")
        }
    };
    (is_private || is_loopback(url)).then(|| url.host_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::CredentialsMode;
    use crate::origin::PageOrigin;

    #[test]
    fn a_url_and_an_origin_show_rules_other_than_cors() {
        for (origin, url, want) in [
            ("https://app.example", "https://api.example/", vec![]),
            ("https://app.example", "http://api.example/", vec![Obstacle::MixedContent]),
            ("http://app.example", "http://api.example/", vec![]),
            (
                "https://app.example",
                "http://127.0.0.1:8080/",
                vec![Obstacle::LocalNetwork("127.0.0.1".to_owned())],
            ),
            (
                "https://app.example",
                "https://192.168.1.2/",
                vec![Obstacle::LocalNetwork("192.168.1.2".to_owned())],
            ),
            ("http://localhost:3000", "http://localhost:8080/", vec![]),
            ("https://app.example", "https://api.example:6000/", vec![Obstacle::BadPort(6000)]),
        ] {
            let page = PageRequest {
                origin: PageOrigin::of(&Url::parse(origin).unwrap()),
                url: Url::parse(url).unwrap(),
                method: "GET".to_owned(),
                headers: Vec::new(),
                credentials: CredentialsMode::Omit,
                upload_listeners: false,
            };
            assert_eq!(obstacles(&page), want, "{origin} {url}");
        }
    }
}
