//! The bus on NATS JetStream: telemetry in a file-backed stream, the latest words in another.

mod bus;
mod cursor;
mod payload;
pub mod server;
mod streams;
#[cfg(test)]
mod tests;
mod topics;

pub use bus::JetStreamBus;
pub use streams::StreamSettings;
pub use topics::topic_subject;
