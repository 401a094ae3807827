//! `corsward import`, held against the real systems: each report names every difference that is observed, and no other.

mod django;
mod envoy;
mod gateway_api;
mod nginx;
mod python;
mod side_by_side;
mod starlette;
