//! The browser's side of CORS, by the Fetch standard: from a page's request to the requests on the wire, and from the
//! responses to a result for the page, each step with its cause.
//!
//! ```text
//! PageRequest --plan--> Plan: preflight and request --responses--> preflight_check, cors_check --> readable_headers
//! ```
//!
//! The crate sends nothing. It covers `fetch` with `mode: "cors"`.

pub mod check;
pub mod credentials;
pub mod header_list;
pub mod obstacle;
pub mod origin;
pub mod plan;
pub mod readable;
pub mod safelist;

pub use check::{
    CorsFailure, CorsRequest, CorsResponse, Preflight, PreflightFailure, cors_check,
    preflight_check,
};
pub use credentials::CredentialsMode;
pub use header_list::{HeaderLine, combined, is_token};
pub use origin::PageOrigin;
pub use plan::{PageRequest, Plan, plan};
