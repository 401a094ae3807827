//! The filter beside others of Envoy: what each answers by itself, and what a browser makes of it. `docs/filters.md` is the table.

mod authentication;
mod limits;
mod order;
mod proxy;
mod routes;
mod upstreams;
