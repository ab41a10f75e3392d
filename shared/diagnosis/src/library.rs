//! The runbooks and post-mortems that picket ships, inside the binary.

use picket_core::knowledge::Document;

macro_rules! shelf {
    ($($id:literal),* $(,)?) => {
        /// Id and text of every shipped document.
        const SHELF: &[(&str, &str)] = &[$(($id, include_str!(concat!("../../../knowledge/", $id, ".md")))),*];
    };
}

shelf![
    "bad-deployment",
    "certificate-expiring",
    "connection-pool-exhausted",
    "crash-loop",
    "crash-loop-without-rollout",
    "deployment-settling",
    "disk-filling",
    "dns-failure",
    "feature-flag-or-clock",
    "idle-service",
    "load-ebb",
    "load-surge",
    "memory-leak",
    "memory-limit-sizing",
    "memory-limit-too-low",
    "network-packet-loss",
    "node-pressure",
    "over-requested",
    "pm-auth-crashloop",
    "pm-checkout-oom",
    "pm-flash-sale",
    "pm-gateway-certificate",
    "pm-inventory-db",
    "pm-ledger-disk",
    "pm-miner",
    "pm-orders-deadlock",
    "pm-pricing-rollout",
    "pm-search-leak",
    "rollback-safely",
    "scaled-to-zero",
    "shared-secret-certificate-rotation",
    "slow-dependency",
    "stuck-process",
    "suspicious-workload",
    "third-party-outage",
];

/// Every shipped document, parsed.
///
/// # Panics
/// Never in a build that passed its tests: the texts are part of the binary and a test parses each.
#[must_use]
pub fn shipped() -> Vec<Document> {
    SHELF.iter().map(|(id, text)| crate::parse_document(id, text).expect("shipped documents are parsed by a test")).collect()
}
