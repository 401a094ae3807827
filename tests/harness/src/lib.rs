//! What tests run beside the code under test, and how they wait for it.
//!
//! ```text
//! TestNamespace, Operator --> Cluster --> ApiServer, SocksProxy      EnvoyFixture --> Envoy, Upstream
//!            all of them --> eventually                              client, http2 --> Answer
//! ```
//!
//! A function that starts, asks or awaits something returns a `Result`: its error has the words of the server or program that refused, did not
//! answer or ended, with the log of an operator. What a test awaits, it awaits by `eventually`.

pub mod answer;
pub mod api_server;
pub mod case;
pub mod client;
pub mod cluster;
pub mod command;
pub mod envoy_fixture;
pub mod eventually;
pub mod http2;
pub mod line;
pub mod policies;
pub mod series;
pub mod site;
pub mod status;
pub mod stub;
pub mod support_archive;
pub mod text;
pub mod upstream;
pub mod workload;
