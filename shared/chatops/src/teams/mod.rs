//! Microsoft Teams: Adaptive Cards by a Workflows webhook, one-way; deciding is done on the dashboard
//! (Microsoft, "Create incoming webhooks with Workflows", "Adaptive Cards" 1.4).

pub mod card;
pub mod delivery;
