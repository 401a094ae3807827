//! `corsward import`, held against the real systems: each report names every difference that is observed, and no other.

mod application;
mod django;
mod envoy;
mod express;
mod gateway_api;
mod nginx;
mod reverse_proxy;
mod side_by_side;
mod spring;
mod starlette;
