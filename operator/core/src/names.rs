//! Names: what the operator is called in the objects that it writes.

/// The field manager of the operator's writes.
pub const FIELD_MANAGER: &str = "corsward-operator";
/// The label by which everything the operator makes is known, and its value.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", FIELD_MANAGER);
