//! The operator's parts at a real API server: what is watched, which replica writes, and what is written.

mod harness;
mod lease;
mod statuses;
mod watches;
