//! The gateway: OTLP over gRPC and HTTP and two webhooks in, normalised signals out to an ingestor.
//!
//! Architecture invariant: the cluster comes from the sender's token; nothing in a payload can name it.

mod accept;
mod attributes;
mod batches;
mod exponential;
mod gateway;
mod grpc;
mod http;
mod ingestor;
mod logs;
mod metrics;
mod names;
mod points;
mod rejections;
mod resource;
#[cfg(test)]
mod tests;
mod traces;
mod webhooks;

pub use batches::{BATCH_BYTES_MAX, BATCH_SIGNALS_MAX, Rejected};
pub use gateway::{GatewayConfig, GatewayError, GatewayHandle, TokenGrant, serve};
pub use ingestor::BusIngestor;
pub use logs::normalise_logs;
pub use metrics::normalise_metrics;
pub use rejections::{Reason, Rejections};
pub use traces::normalise_traces;
pub use webhooks::falco as normalise_falco;
