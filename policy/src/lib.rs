//! A CORS policy: parsed, validated, compiled, decided. No IO, no clock, no log, no panic.
//!
//! ```text
//! Draft --validate--> Policy --compile--> Compiled --decide--> Decision --edits--> response headers
//!           |                              |    ^
//!        Findings                    wire::encode, decode
//! ```

pub mod compile;
pub mod compiled;
pub mod contain;
pub mod decide;
pub mod decision;
pub mod draft;
pub mod finding;
mod hash_index;
pub mod header_line;
pub mod header_name;
pub mod host_syntax;
pub mod limits;
pub mod method;
pub mod origin;
mod origin_set;
pub mod path;
pub mod path_syntax;
pub mod pattern;
pub mod policy;
pub mod precedence;
pub mod regex;
pub mod request;
mod request_view;
pub mod response_headers;
pub mod response_plan;
pub mod scope;
pub mod shadow;
pub mod slip;
pub mod survey;
pub mod syntax;
mod trie;
pub mod validate;
pub mod verdict;
pub mod wire;
pub mod workload;

pub use compile::{compile, compile_for};
pub use compiled::Compiled;
pub use decide::decide;
pub use decision::{Action, Decision};
pub use draft::{Draft, PolicyId};
pub use finding::{Finding, Severity};
pub use policy::Policy;
pub use request::{Request, RequestField, Response};
pub use shadow::{Shadow, ShadowComparison};
pub use validate::{Knowledge, Validated, validate, validate_accepted};
pub use verdict::{Outcome, Refusal, RequestKind, Verdict};
pub use workload::Workload;
