//! One corpus, several machines, one judge.
//!
//! ```text
//! vectors/*.json --+                +--> model  (decide, natively) --+
//!                  +--> Suite, Case-+                                +--> judge <-- oracle (Fetch)
//! corpus/*.toml ---+                +--> stand  (a real Envoy)     --+
//! ```

pub mod answer;
pub mod case;
pub mod client;
pub mod differences;
pub mod envoy_fixture;
pub mod http2;
pub mod import_graph;
pub mod model;
pub mod oracle;
pub mod page;
pub mod policies;
pub mod prose;
pub mod site;
pub mod suite;
pub mod text;
pub mod upstream;
