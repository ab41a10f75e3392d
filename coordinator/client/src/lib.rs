//! The coordinator, met from outside: JSON over HTTP and mutual TLS. Who speaks is decided by the certificate.

mod backup;
mod client;
mod errors;
mod identity;
mod membership;

pub use client::{ClientConfig, CoordinatorClient};
