//! `picket openapi`.

use picket_coordinator::api::client_routes::document;

/// Prints the coordinator's HTTP API as OpenAPI 3.1: what every node serves at `/openapi.json`.
///
/// # Errors
/// When it cannot be printed.
pub fn run() -> anyhow::Result<()> {
    super::print_json(&document())
}
