//! Sources: where policies come from. Each tells one channel what it sees; none decides anything.

pub mod dir;
pub mod document;
pub mod folder;
pub mod kube;
