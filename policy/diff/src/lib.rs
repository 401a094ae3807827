//! The difference between two sets of policies: each class of requests that they judge differently, with one request as its witness.
//!
//! It is decided on the sets themselves, not by samples. No IO.
