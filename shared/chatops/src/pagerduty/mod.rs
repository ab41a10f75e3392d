//! PagerDuty: alerts by the Events API v2, one-way (PagerDuty, "Send an Alert Event").

pub mod delivery;
pub mod event;
