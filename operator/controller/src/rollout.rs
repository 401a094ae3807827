//! Rollout: the poller asks proxies what they run, as the schedule of the core says.

pub(crate) mod poller;
