//! Findings about clusters: what policies meet in one, and what they share there.

mod gateway;
mod guardrail;
mod origin_set;
mod placement;
mod size;
mod target;
mod traffic;

pub use gateway::GatewayReason;
pub use guardrail::{Excess, GuardrailReason};
pub use origin_set::OriginSetReason;
pub use placement::{PlacementReason, TargetInstead};
pub use size::SizeReason;
pub use target::TargetReason;
pub use traffic::{TrafficReason, WithoutSidecar};
