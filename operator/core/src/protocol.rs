//! Protocol: what a Service's port carries, as Istio reads it.

use crate::cluster_state::ServicePort;

/// Ports that Istio takes for TCP where nothing else is said: mail, names and two databases.
const TCP: [u16; 4] = [25, 53, 3306, 27017];

/// The protocol of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP in the clear, of any version: HTTP filters see it.
    Http,
    /// Something that HTTP filters do not see, by the name it is declared with.
    Other(String),
    /// Undeclared: proxies have to guess by the first bytes.
    Undeclared,
}

// === impl Protocol ===

impl Protocol {
    /// The declared protocol of the port: by `appProtocol`, else by the prefix of its name.
    pub(crate) fn of(port: &ServicePort) -> Self {
        let declared = port.app_protocol.as_ref().or(port.name.as_ref());
        let declared = declared.map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        let prefix = declared.split('-').next().unwrap_or_default();
        let word = match declared.as_str() {
            // Kubernetes' own words are for the field alone; no name has a slash.
            "kubernetes.io/h2c" => "http2",
            "kubernetes.io/ws" => "http",
            "kubernetes.io/wss" => "https",
            // Before the hyphen would be less.
            name if name.starts_with("grpc-web") => "grpc",
            _ => prefix,
        };
        match word {
            "http" | "http2" | "http_proxy" | "grpc" => Self::Http,
            "https" | "tls" | "tcp" | "udp" | "mongo" | "redis" | "mysql" => {
                Self::Other(word.to_owned())
            }
            _ if TCP.contains(&port.port) => Self::Other("tcp".to_owned()),
            _ => Self::Undeclared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_state::TargetPort;

    #[test]
    fn a_port_is_what_istio_takes_it_for() {
        let other = |word: &str| Protocol::Other(word.to_owned());
        for (name, app_protocol, number, want) in [
            (Some("http"), None, 80, Protocol::Http),
            (Some("HTTP-web"), None, 80, Protocol::Http),
            (Some("http2"), None, 80, Protocol::Http),
            (Some("grpc-api"), None, 80, Protocol::Http),
            (Some("grpc-web-ui"), None, 80, Protocol::Http),
            (Some("grpc-webui"), None, 80, Protocol::Http),
            (Some("httpd"), None, 80, Protocol::Undeclared),
            (Some("web"), None, 80, Protocol::Undeclared),
            (None, None, 80, Protocol::Undeclared),
            (Some("web"), Some("http"), 80, Protocol::Http),
            (Some("tcp-web"), Some("kubernetes.io/h2c"), 80, Protocol::Http),
            (None, Some("kubernetes.io/ws"), 80, Protocol::Http),
            (Some("http"), Some("kubernetes.io/wss"), 80, other("https")),
            (Some("https"), None, 443, other("https")),
            (Some("tls-web"), None, 443, other("tls")),
            (Some("tcp"), None, 80, other("tcp")),
            (Some("redis"), None, 6379, other("redis")),
            (None, None, 3306, other("tcp")),
            (Some("http"), None, 3306, Protocol::Http),
            (Some("http"), Some("web"), 80, Protocol::Undeclared),
            (Some("http"), Some(""), 80, Protocol::Undeclared),
        ] {
            let port = ServicePort {
                name: name.map(str::to_owned),
                port: number,
                target: TargetPort::Number(8080),
                app_protocol: app_protocol.map(str::to_owned),
            };
            assert_eq!(Protocol::of(&port), want, "{port:?}");
        }
    }
}
