//! Stories told to a real API server: what users do there, and what the real operator makes of it.

#![expect(dead_code, reason = "the stories come with the operator's source")]

mod chart;
mod modules;
mod publishing;
mod resources;
mod rig;
mod schema;
