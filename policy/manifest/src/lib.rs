//! The manifests of policies: from the bytes of a file or the JSON of an object to a draft, with a finding for each value that does not fit.
//!
//! ```text
//! bytes --> yaml --> document --> shape --> convert --> Draft
//! ```
//!
//! No IO, and nothing of a cluster.

pub mod amend;
pub mod convert;
mod counterpart;
pub mod document;
pub mod finding;
mod foreign;
pub mod knowledge;
pub mod outline;
pub mod shape;
pub mod spelling;
pub mod yaml;
