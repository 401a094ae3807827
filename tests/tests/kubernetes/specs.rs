//! The specs of the scenarios' policies.

use serde_json::{Value, json};

/// An origin.
pub(crate) const SHOP: &str = "https://shop.example";
/// A second origin.
pub(crate) const OTHER: &str = "https://other.example";

/// Lets these origins read from the pods of an application.
pub(crate) fn allow(app: &str, origins: &[&str]) -> Value {
    json!({
        "selector": { "matchLabels": { "app": app } },
        "cors": { "allowOrigins": origins },
    })
}

/// A spec that the API server accepts and the operator refuses: every user's pages at one host, with cookies.
pub(crate) fn refused(app: &str) -> Value {
    let mut spec = allow(app, &["https://*.github.io"]);
    spec["cors"]["allowCredentials"] = true.into();
    spec
}
