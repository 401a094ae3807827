//! Findings about manifests: values that do not fit, and files and objects that cannot be read.

mod shape;
mod source;

pub use shape::{Meant, MeantField, ShapeReason};
pub use source::SourceReason;
