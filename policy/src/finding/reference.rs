//! The reference of all findings.
