//! The configuration: one typed tree. The reference's keys under their names, picket's own beside them, unknown keys refused.

mod duration;
mod locks;
mod mesh;
mod models;
mod timing;
mod validate;

pub use duration::Span;
pub use locks::{DistributedLocks, EtcdServers, LockProvider, RedisServer, ServerAccess};
pub use mesh::{Cluster, Mesh};
pub use models::{ModelPrice, ModelServer, Models, provider_of};
pub use timing::Timing;
pub use validate::Problem;

use crate::limits::{BlastRadius, LimitRules};
use crate::phase::{GateRule, Phase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty = $default:expr),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),* }
        impl Default for $name { fn default() -> Self { Self { $($field: $default),* } } }
    };
}

section! {
    /// The whole file.
    Config {
        /// Where telemetry comes from.
        observability: Observability = Observability::default(),
        /// What counts as unusual.
        detection: Detection = Detection::default(),
        /// How causes are found.
        diagnostics: Diagnostics = Diagnostics::default(),
        /// What may be done.
        safety: Safety = Safety::default(),
        /// Who may do it, and when.
        orchestration: Orchestration = Orchestration::default(),
        /// The telemetry gateway.
        gateway: Gateway = Gateway::default(),
        /// How long permits, evidence and facts are good for.
        timing: Timing = Timing::default(),
        /// Where the parts of the mesh find each other.
        mesh: Mesh = Mesh::default(),
    }
}

section! {
    /// Where telemetry comes from.
    Observability {
        /// The collector that forwards OTLP to the gateway, `host:port`.
        otel_endpoint: String = "127.0.0.1:4317".to_owned(),
        /// What the eBPF probe looks at.
        ebpf_probe_depth: ProbeDepth = ProbeDepth::NetworkFlow,
        /// How often the service graph is published; an edge is forgotten after twenty of these.
        dependency_graph_refresh_interval: Span = Span::from_s(30),
    }
}

/// What the eBPF probe looks at.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProbeDepth {
    /// Nothing: flows come from the collector alone.
    Off,
    /// TCP flows.
    NetworkFlow,
}

section! {
    /// What counts as unusual.
    Detection {
        /// Time constant of the fast baseline.
        baseline_window: Span = Span::from_s(15 * 60),
        /// Distance from the baseline that counts as a breach, in standard deviations.
        anomaly_threshold_sigma: f64 = 3.0,
        /// Share of quiet points that the Isolation Forest flags, 0..0.5.
        isolation_forest_contamination: f64 = 0.05,
        /// What belongs together.
        correlation_engine: CorrelationEngine = CorrelationEngine::default(),
    }
}

section! {
    /// What belongs together.
    CorrelationEngine {
        /// Anomalies of one cause within this are one incident.
        deduplication_window: Span = Span::from_s(120),
        /// Open incidents of one service; more are merged.
        max_incidents_per_service: u32 = 5,
    }
}

section! {
    /// How causes are found.
    Diagnostics {
        /// Who reasons: `evidence` (built in), `anthropic`, `openai`.
        llm_provider: ReasonerProvider = ReasonerProvider::Evidence,
        /// The provider's model.
        model: String = String::new(),
        /// Retrieval.
        rag: Rag = Rag::default(),
        /// Checks on an answer.
        validation: Validation = Validation::default(),
        /// Where models are and what they may cost.
        models: Models = Models::default(),
    }
}

/// Who reasons.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReasonerProvider {
    /// The built-in evidence reasoner.
    Evidence,
    /// Anthropic's API.
    Anthropic,
    /// OpenAI's API, or a server compatible with it.
    Openai,
}

section! {
    /// Retrieval over runbooks and post-mortems.
    Rag {
        /// Where vectors live: `memory` or `pgvector`.
        vector_db: VectorDb = VectorDb::Memory,
        /// Passages per incident.
        top_k_retrieval: u32 = 5,
        /// How passages are shortened: `none`, `extractive` or `llmlingua`.
        context_compression: Compression = Compression::None,
        /// Length that passages are shortened to, in tokens.
        target_tokens: u32 = 800,
        /// Directory of a cross-encoder that reads the best passages again (`config.json`, `tokenizer.json`, `model.safetensors`); empty: none.
        cross_encoder: String = String::new(),
    }
}

/// Where vectors live.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VectorDb {
    /// In the process.
    Memory,
    /// In PostgreSQL.
    Pgvector,
}

/// How passages are shortened.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// By choosing sentences.
    Extractive,
    /// By a token model.
    Llmlingua,
}

section! {
    /// Checks on an answer.
    Validation {
        /// A second model that is asked without seeing the first's answer; empty for the structural checks alone.
        second_opinion_model: String = String::new(),
        /// Whose API it is asked by; left out, its name tells: `claude…` is Anthropic's, everything else OpenAI's or compatible.
        second_opinion_provider: Option<ReasonerProvider> = None,
        /// Confidence below which picket abstains, 0..1.
        min_confidence_score: f64 = 0.85,
    }
}

section! {
    /// What may be done.
    Safety {
        /// Bounds.
        policies: Policies = Policies::default(),
        /// How acts are carried out.
        remediation: RemediationRules = RemediationRules::default(),
    }
}

section! {
    /// Bounds on acts.
    Policies {
        /// Share of a fleet that may be disrupted at once, above 0 and at most 0.25.
        max_fleet_restart_ratio: f64 = 0.10,
        /// Minutes without a second act of a kind on a service.
        cooldown_window_minutes: u32 = 5,
        /// Farthest reach of a failed act.
        blast_radius_limit: BlastRadius = BlastRadius::ServiceNamespace,
    }
}

section! {
    /// How acts are carried out.
    RemediationRules {
        /// Must be true: nothing happens twice (I6).
        idempotency: bool = true,
        /// How a change is made where direct writes are not allowed: by a commit, in namespaces whose `gitops_file` says `route: fallback`.
        gitops_fallback: GitOps = GitOps::None,
        /// How long the observer watches after an act.
        post_action_monitor_window: Span = Span::from_s(600),
        /// Must be true: what regressed is undone (I10).
        auto_rollback_on_degradation: bool = true,
    }
}

/// How a change is made where direct writes are not allowed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GitOps {
    /// Not at all.
    None,
    /// Argo CD.
    Argocd,
    /// Flux.
    Flux,
}

section! {
    /// Who may act, and when.
    Orchestration {
        /// Earned autonomy.
        phased_rollout: PhasedRollout = PhasedRollout::default(),
        /// People.
        chatops: ChatOps = ChatOps::default(),
        /// Locks.
        distributed_locks: DistributedLocks = DistributedLocks::default(),
    }
}

section! {
    /// Earned autonomy.
    PhasedRollout {
        /// Where an agent starts. A file never raises it above what was earned.
        current_phase: Phase = Phase::Observe,
        /// Accuracy that the gate asks for, 0..1.
        accuracy_threshold: f64 = 0.92,
        /// Violations that are allowed: 0.
        violation_limit: u32 = 0,
    }
}

section! {
    /// People.
    ChatOps {
        /// For the dashboard: file with the channels of chat and paging, who is who in them, and where their secrets are (docs/chatops.md); empty
        /// for none.
        channels_file: String = String::new(),
        /// Incoming webhook, of a channel without buttons; empty for none. `${NAME}` is taken from the environment.
        slack_webhook: String = String::new(),
        /// Severities that always need a person; must hold 1 and 2 (I7).
        approval_required_for_severity: Vec<u8> = vec![1, 2],
        /// Of those, the severities that need two different people.
        two_persons_for_severity: Vec<u8> = Vec::new(),
    }
}

section! {
    /// The telemetry gateway.
    Gateway {
        /// Largest body that it takes, after decompression.
        body_max_bytes: u64 = 8 << 20,
        /// Batches that it buffers while the bus is away.
        buffer_batches_max: u32 = 4096,
    }
}

impl Config {
    /// The limits that the coordinator enforces.
    #[must_use]
    pub fn limit_rules(&self) -> LimitRules {
        let policies = &self.safety.policies;
        LimitRules {
            max_fleet_restart_ratio: policies.max_fleet_restart_ratio,
            cooldown_ms: i64::from(policies.cooldown_window_minutes) * 60_000,
            blast_radius: policies.blast_radius_limit,
            min_confidence: self.diagnostics.validation.min_confidence_score,
            min_confidence_irreversible: (self.diagnostics.validation.min_confidence_score + 0.05).min(1.0),
            evidence_ttl_ms: self.timing.evidence_ttl.ms(),
            facts_ttl_ms: self.timing.facts_ttl.ms(),
            warmup_ms: self.timing.warmup.ms(),
            ..LimitRules::default()
        }
    }

    /// The gate between phases.
    #[must_use]
    pub fn gate_rule(&self) -> GateRule {
        let rollout = &self.orchestration.phased_rollout;
        GateRule { accuracy_threshold: rollout.accuracy_threshold, violation_limit: rollout.violation_limit, ..GateRule::default() }
    }
}
