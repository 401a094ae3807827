//! The whole demo: an API of our own behind the stack, and a page that calls it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use axum::Router;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::api::{self, Arrivals};
use super::page::{self, Page};
use super::stack::{Programs, Stack, Voice};
use crate::envoy::{Bootstrap, Listener, Refusals};
use crate::{paths, ports};

/// The ports one finds in the README; others are chosen when they are taken.
const API_PORT: u16 = 8600;
const PAGE_PORT: u16 = 8601;
const ADMIN_PORT: u16 = 8602;

/// The demo with its own API and page. Dropping it stops everything.
pub struct Sample {
    stack: Stack,
    api: SocketAddr,
    page: SocketAddr,
    // Serves the API and the page until it is dropped.
    _servers: Runtime,
}

/// The policies that the demo shows.
pub fn policies() -> PathBuf {
    paths::root().join("examples/policies")
}

// === impl Sample ===

impl Sample {
    /// Starts everything and waits until `policies` are in force.
    ///
    /// # Errors
    ///
    /// Fails if something does not start.
    pub fn start(programs: &Programs, policies: &Path) -> Result<Self> {
        Self::start_with(programs, policies, Voice::NoHints)
    }

    /// As [`Sample::start`], and operator and Envoy leave the terminal alone.
    pub(super) fn start_silent(programs: &Programs, policies: &Path) -> Result<Self> {
        Self::start_with(programs, policies, Voice::Silent)
    }

    fn start_with(programs: &Programs, policies: &Path, voice: Voice) -> Result<Self> {
        let servers =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let arrivals = Arrivals::default();
        let back_end = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let api = local(ports::preferred(API_PORT));
        let page = TcpListener::bind(local(ports::preferred(PAGE_PORT)))?;

        let upstream = back_end.local_addr()?;
        serve(&servers, back_end, api::router(arrivals.clone()))?;
        let stack =
            Stack::start(programs, policies, voice, |filter| bootstrap(filter, api, upstream))?;
        let page_address = page.local_addr()?;
        let router = page::router(Page {
            api: url("localhost", api),
            stranger: url("127.0.0.1", page_address),
            policies: policies.into(),
            arrivals,
            watch: stack.watch(),
        });
        serve(&servers, page, router)?;
        Ok(Self { stack, api, page: page_address, _servers: servers })
    }

    /// The page's URL.
    pub fn page_url(&self) -> String {
        url("localhost", self.page)
    }

    /// The API's URL: Envoy's listener.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// The digest in force in Envoy, as far as a gauge holds it.
    ///
    /// # Errors
    ///
    /// Fails if Envoy or the operator does not answer.
    pub fn in_force(&self) -> Result<Option<u64>> {
        Ok(self.stack.watch().look()?.in_force)
    }

    /// The operator's account of every policy.
    ///
    /// # Errors
    ///
    /// Fails if Envoy or the operator does not answer.
    pub fn account(&self) -> Result<Value> {
        Ok(self.stack.watch().look()?.policies)
    }

    /// Refuses to go on when operator or Envoy has ended.
    ///
    /// # Errors
    ///
    /// Fails if one has.
    pub fn ensure_running(&mut self) -> Result<()> {
        self.stack.ensure_running()
    }

    /// The last output of operator and Envoy, for the message about a failure.
    pub(super) fn last_words(&self) -> String {
        self.stack.last_words()
    }

    /// Stops everything and waits until it is gone.
    ///
    /// # Errors
    ///
    /// Fails if something had to be killed.
    pub fn stop(self) -> Result<()> {
        self.stack.stop()
    }

    /// Suggestions for a user at a terminal.
    pub(super) fn invitation(&self, policies: &Path) -> String {
        let (api, page) = (url("localhost", self.api), self.page_url());
        let policies = page::shown(policies);
        let admin = self.stack.envoy().admin_addr();
        let operator = self.stack.operator_addr();
        let mut text = String::new();
        for (default, chosen) in [(API_PORT, self.api), (PAGE_PORT, self.page), (ADMIN_PORT, admin)]
        {
            if chosen.port() != default {
                text += &format!("Port {default} is taken; {} it is.\n", chosen.port());
            }
        }
        text += &format!(
            "
  page      {page}   open it in a browser: a table of calls to the API
  API       {api}   Envoy with the filter; back ends behind it
  policies  {policies}   edit them: the table follows within a second

Or by hand:
  curl -i {api}/plain -H 'Origin: {page}'
  curl -i {api}/plain -H 'Origin: https://stranger.example'
  curl -i -X OPTIONS {api}/upload -H 'Origin: {page}' -H 'Access-Control-Request-Method: PUT'

What was decided, as metrics:   curl 'http://{admin}/stats/prometheus?filter=corsward'
What the operator has to say:   curl http://{operator}/policies
Ctrl-C stops everything.
"
        );
        text
    }
}

fn bootstrap(filter: Value, api: SocketAddr, upstream: SocketAddr) -> Bootstrap {
    let listener = Listener::new("api")
        .at(api)
        .http_filter(filter)
        .routes(api::routes())
        .refusals(Refusals::Stdout);
    Bootstrap::new()
        .admin(local(ports::preferred(ADMIN_PORT)))
        .concurrency(2)
        .listener(listener)
        .upstream("api", upstream)
        .empty_upstream("nobody")
}

fn serve(servers: &Runtime, listener: TcpListener, router: Router) -> Result<()> {
    listener.set_nonblocking(true)?;
    let _inside = servers.enter();
    let listener =
        tokio::net::TcpListener::from_std(listener).context("serve the demo's page and API")?;
    servers.spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn url(host: &str, address: SocketAddr) -> String {
    format!("http://{host}:{}", address.port())
}
