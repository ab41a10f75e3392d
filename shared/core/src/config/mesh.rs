//! Where the parts of the mesh find each other.

use super::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Addresses, folders and credentials' files. Secrets are never in the configuration itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mesh {
    /// Folder with `ca.pem`, one certificate and key per role, and the permit key (`picket pki init`).
    pub pki_dir: String,
    /// Folder for what must survive a restart: Raft log, journal, audit log.
    pub data_dir: String,
    /// The telemetry bus.
    pub nats_url: String,
    /// Coordinator nodes: id to `host:port`.
    pub coordinators: BTreeMap<u64, String>,
    /// Where the gateway takes OTLP/gRPC.
    pub otlp_grpc_listen: String,
    /// Where the gateway takes OTLP/HTTP and webhooks.
    pub otlp_http_listen: String,
    /// Where the dashboard is served.
    pub dashboard_listen: String,
    /// `NAME:PORT` by which the page may be asked for beside loopback (a published container port). It has no sign-in yet.
    pub dashboard_hosts: Vec<String>,
    /// Where pages go (HTTP POST); empty for the log alone.
    pub page_url: String,
    /// Between two looks at the baselines.
    pub look_interval: Span,
    /// The clusters that are tended.
    pub clusters: Vec<Cluster>,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            pki_dir: "pki".to_owned(),
            data_dir: "data".to_owned(),
            nats_url: "nats://127.0.0.1:4222".to_owned(),
            coordinators: (1..=3).map(|id| (id, format!("127.0.0.1:{}", 7000 + id))).collect(),
            otlp_grpc_listen: "127.0.0.1:4317".to_owned(),
            otlp_http_listen: "127.0.0.1:4318".to_owned(),
            dashboard_listen: "127.0.0.1:8080".to_owned(),
            dashboard_hosts: Vec::new(),
            page_url: String::new(),
            look_interval: Span::from_s(5),
            clusters: Vec::new(),
        }
    }
}

/// One cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Its name in subjects, scopes and certificates.
    pub name: String,
    /// Its Kubernetes API.
    pub api_url: String,
    /// PEM file of the API's CA; empty for the system's.
    pub api_ca_file: String,
    /// File with the observer's bearer token.
    pub read_token_file: String,
    /// File with the actuator's bearer token.
    pub write_token_file: String,
    /// File with the token that its telemetry is sent with.
    pub ingest_token_file: String,
    /// For its actuator: file that says which namespaces are changed by commits, and where (docs/gitops.md); empty for none.
    pub gitops_file: String,
    /// For its actuator and its observer: file that says which of its services run on AWS or Azure instead (docs/clouds.md), each with its
    /// own credentials in it; empty for none.
    pub clouds_file: String,
    /// True for a simulated cluster: its actuator honours permits of the demonstration CA.
    pub simulated: bool,
}
