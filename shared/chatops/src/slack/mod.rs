//! Slack: messages with buttons, and what comes back when one is pressed.

pub mod answered;
pub mod button;
pub mod client;
pub mod delivery;
pub mod interaction;
pub mod message;
pub mod press;
pub mod rate;
pub mod response_url;
pub mod routes;
pub mod signature;
