//! The operator's parts at a real API server: what is watched, which replica writes, and what is written.

mod lease;
mod line;
mod rig;
mod statuses;
mod watches;
