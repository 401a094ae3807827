//! One corpus, several machines, one judge.
//!
//! ```text
//! vectors/*.json --+                +--> model  (decide, natively)           --+
//!                  +--> Suite, Case-+                                          +--> differences <-- oracle (Fetch)
//! corpus/*.toml ---+                +--> EnvoyFixture, TestNamespace (harness) --+
//! ```

pub mod differences;
pub mod import_graph;
pub mod model;
pub mod page;
pub mod prose;
pub mod suite;
