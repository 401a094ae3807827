//! Scenarios at a real API server: what users do there, and what the real operator makes of it.

mod chart;
mod command_line;
mod faults;
mod gateways;
mod metrics;
mod modules;
mod outages;
mod proxies;
mod publishing;
mod replicas;
mod resources;
mod roles;
mod scenarios;
mod schema;
mod sizes;
mod specs;
mod traffic;
mod walks;
mod webhook;
