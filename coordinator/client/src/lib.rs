//! The coordinator, met from outside: JSON over HTTP and mutual TLS. Who speaks is decided by the certificate.

mod client;
mod errors;
mod identity;

pub use client::{ClientConfig, CoordinatorClient};
