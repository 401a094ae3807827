//! Publishing: the difference between the desired objects and those that are there, and the form of each.

pub mod ecds;
pub mod istio;
pub mod istiod;
pub mod output;
pub mod reconciler;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
