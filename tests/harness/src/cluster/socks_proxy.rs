//! SOCKS proxy: the way into the cluster for requests, a server in a pod outside the mesh.
//!
//! Its requests come from inside the cluster, byte by byte as they were sent, and names mean the same there as in a pod. A node refuses
//! connections to a Service until it routes it, about a second after its pods are ready. The server has to bear that: some servers hang
//! on such a connection (microsocks), and some remember an earlier address of a name (Dante).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::answer::Answer;
use crate::case::Request;
use crate::client;
use anyhow::{Context, Result, bail, ensure};
use corsward_browser::CredentialsMode;
use serde_json::Value;
use xtask::command;

use super::Cluster;
use crate::eventually::eventually;
use crate::workload::Workload;

/// The port of the node that leads to the SOCKS proxy: `kind-config.yaml` publishes it on a free port of this machine.
const NODE_PORT: u16 = 30080;

/// Its namespace.
const NAMESPACE: &str = "corsward-e2e";

/// Timeout for a connection through it, and for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// SOCKS 5 (RFC 1928): the version, "no authentication" as the only method, CONNECT, and a name as the address.
const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const NAME: u8 = 3;

/// The header that says who may read an answer.
pub const ALLOW_ORIGIN: &str = "access-control-allow-origin";

/// The way in.
#[derive(Clone, Copy, Debug)]
pub struct SocksProxy {
    address: SocketAddr,
}

// === impl SocksProxy ===

impl SocksProxy {
    /// Opens it, if it is not open yet.
    pub fn open(cluster: &Cluster, labels: &Value) -> Result<Self> {
        let ns = cluster.labelled_namespace(NAMESPACE, labels)?;
        let socks_proxy = Workload::new("socks-proxy").command(&["/apps/socks-proxy"]);
        ns.run(&socks_proxy.port("socks", 1080, 1080))?;
        ns.apply(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: socks-proxy-in}}, spec: {{type: NodePort, selector: {{app: socks-proxy}}, \
             ports: [{{port: 1080, nodePort: {NODE_PORT}}}]}}}}"
        ))?;
        let node = cluster.read(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"])?;
        let mut port = Command::new("docker");
        let said = command::read(port.args(["port", &node, &format!("{NODE_PORT}/tcp")]))?;
        let said = String::from_utf8_lossy(&said);
        let address = said.lines().next().unwrap_or_default();
        let address = address.parse().with_context(|| {
            format!("docker says `{address}` of port {NODE_PORT} of {node}: was the cluster made with kind-config.yaml?")
        })?;
        let socks_proxy = Self { address };
        eventually("the SOCKS proxy", || {
            socks_proxy.connect("kubernetes.default.svc.cluster.local", 443).map(Some)
        })?;
        Ok(socks_proxy)
    }

    /// Its address on this machine, for a browser.
    pub fn address(self) -> SocketAddr {
        self.address
    }

    /// A connection to a port of a host of the cluster.
    pub fn connect(self, host: &str, port: u16) -> Result<TcpStream> {
        self.through(host, port).with_context(|| format!("connect to {host}:{port}"))
    }

    fn through(self, host: &str, port: u16) -> Result<TcpStream> {
        let mut stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        let length = u8::try_from(host.len()).context("a name has at most 255 bytes")?;
        let (mut method, mut reply) = ([0; 2], [0; 10]);
        stream.write_all(&[VERSION, 1, NO_AUTHENTICATION])?;
        stream.read_exact(&mut method)?;
        ensure!(
            method == [VERSION, NO_AUTHENTICATION],
            "the SOCKS proxy speaks no SOCKS 5: {method:?}"
        );
        let mut request = vec![VERSION, CONNECT, 0, NAME, length];
        request.extend_from_slice(host.as_bytes());
        request.extend_from_slice(&port.to_be_bytes());
        stream.write_all(&request)?;
        stream.read_exact(&mut reply)?;
        if reply[1] != 0 {
            bail!("the SOCKS proxy cannot reach {host}:{port} (SOCKS reply {})", reply[1]);
        }
        Ok(stream)
    }

    /// Sends a request to a port of a host of the cluster, over a connection of its own.
    pub fn send(self, host: &str, port: u16, request: &Request) -> Result<Answer> {
        let stream = self.connect(host, port)?;
        let bytes = client::bytes(request, &[]);
        client::exchange_over(stream, &bytes, request.method == "HEAD", TIMEOUT)
            .with_context(|| format!("{} {host}:{port}", request.method))
    }

    /// The answer to a page of `origin` for `GET path` from a host's port 80.
    pub fn get(self, host: &str, path: &str, origin: Option<&str>) -> Result<Answer> {
        self.send(host, 80, &request("GET", host, path, origin, &[]))
    }

    /// The answer to a preflight of a page of `origin`, for `method` with these headers.
    pub fn preflight(
        self,
        host: &str,
        path: &str,
        origin: &str,
        method: &str,
        headers: &str,
    ) -> Result<Answer> {
        let mut more = vec![("access-control-request-method", method)];
        more.extend((!headers.is_empty()).then_some(("access-control-request-headers", headers)));
        self.send(host, 80, &request("OPTIONS", host, path, Some(origin), &more))
    }
}

/// A request as a page of `origin` sends it.
pub fn request(
    method: &str,
    host: &str,
    path: &str,
    origin: Option<&str>,
    more: &[(&str, &str)],
) -> Request {
    let origin = origin.map(|origin| ("origin", origin));
    let lines = origin.iter().chain(more);
    Request {
        method: method.to_owned(),
        authority: host.to_owned(),
        path: path.as_bytes().to_vec(),
        headers: lines
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        credentials: CredentialsMode::Omit,
    }
}

/// The one value of a header, as text; `None` where there is no such line, an error where there are several.
pub fn header(answer: &Answer, name: &str) -> Result<Option<String>> {
    let lines: Vec<String> = answer
        .lines(|present| present == name)
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect();
    ensure!(lines.len() < 2, "`{name}` came {} times: {lines:?}", lines.len());
    Ok(lines.into_iter().next())
}
