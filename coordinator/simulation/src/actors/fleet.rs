//! The cluster that is acted on: its facts, and objects that refuse a token lower than one they have accepted.

use crate::executor;
use picket_core::action::{Action, Remediation};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::{AgentKind, ClusterName, EntryId, ServiceId};
use picket_core::proposal::Proposal;
use picket_core::scope::FencingToken;
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// The one cluster.
pub const CLUSTER: &str = "east";
const NAMESPACES: [&str; 3] = ["shop", "pay", "web"];
const SERVICES_PER_NAMESPACE: usize = 4;

/// Its name, typed.
#[must_use]
pub fn cluster() -> ClusterName {
    CLUSTER.into()
}

/// The n-th service, round and round.
#[must_use]
pub fn service(n: usize) -> ServiceId {
    let n = n % (NAMESPACES.len() * SERVICES_PER_NAMESPACE);
    ServiceId::new(CLUSTER, NAMESPACES[n % NAMESPACES.len()], &format!("s{}", n / NAMESPACES.len()))
}

/// A reading in which `others` pods are disrupted by somebody else, all of one service.
#[must_use]
pub fn facts(others: u32, tier_of_first: u8) -> ClusterFacts {
    let services = (0..NAMESPACES.len() * SERVICES_PER_NAMESPACE).map(|n| {
        let id = service(n);
        let first = n == 0;
        let facts = ServiceFacts {
            ready: 4,
            total: 4,
            desired: 4,
            disrupted_by_others: if first { others } else { 0 },
            tier: if first { tier_of_first } else { 2 },
            namespaces_touched: vec![id.namespace.clone()],
            ..ServiceFacts::default()
        };
        (id, facts)
    });
    ClusterFacts { cluster: cluster(), services: services.collect(), ..ClusterFacts::default() }
}

/// A wish of that agent.
#[must_use]
pub fn proposal(agent: AgentKind, service: ServiceId, reversible: bool, number: u64, evidence_echo: Timestamp) -> Proposal {
    let container = service.name.clone();
    let (cause, remediation) = match (agent, reversible) {
        (AgentKind::Sre, true) => (Cause::MemoryLimitTooLow, Remediation::SetMemoryLimit { container, limit_bytes: 1 << 30 }),
        (AgentKind::Sre, false) => (Cause::StuckProcess, Remediation::RolloutRestart),
        (AgentKind::FinOps, _) => {
            (Cause::OverRequested, Remediation::SetResources { container, cpu_request_millicores: 100, memory_bytes: 1 << 28 })
        }
        (AgentKind::SecOps, _) => (Cause::SuspiciousWorkload, Remediation::Quarantine),
    };
    Proposal {
        id: format!("{agent}-{number}").into(),
        agent,
        incident: format!("inc-{}-{number}", service.name).into(),
        cause,
        severity: if agent == AgentKind::FinOps { Severity::Four } else { Severity::Three },
        confidence: 0.95,
        services_degraded: 1,
        symptoms: if agent == AgentKind::Sre { vec![Symptom::OomKilled] } else { Vec::new() },
        action: Action { service, remediation },
        evidence_echo,
        replay: false,
        monthly_saving_usd: None,
        sentence: "simulated".into(),
    }
}

/// A write that the cluster took.
#[derive(Clone, Debug)]
pub struct Landed {
    /// Which entry's act.
    pub entry: EntryId,
    /// With which token.
    pub token: FencingToken,
    /// On what.
    pub service: ServiceId,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// The newest entry of the log that any node had applied by then.
    pub index: u64,
}

#[derive(Clone, Debug, Default)]
struct Object {
    version: u64,
    token: FencingToken,
    stamps: Vec<EntryId>,
}

/// Why a write was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The object has changed since.
    Version,
    /// It has accepted a higher token.
    Token,
}

/// Every object of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    objects: BTreeMap<ServiceId, Object>,
    /// What landed, in order.
    pub landed: Vec<Landed>,
}

impl Fleet {
    /// The version of an object.
    pub fn version(&mut self, service: &ServiceId) -> u64 {
        self.objects.entry(service.clone()).or_default().version
    }

    /// Whether that act is stamped on it.
    #[must_use]
    pub fn is_stamped(&self, service: &ServiceId, entry: &EntryId) -> bool {
        self.objects.get(service).is_some_and(|o| o.stamps.contains(entry))
    }

    /// Somebody else changes it.
    pub fn touch(&mut self, service: &ServiceId) {
        self.objects.entry(service.clone()).or_default().version += 1;
    }

    /// The one write of a claim, on exactly that version; `index` is the newest entry of the log by then.
    ///
    /// # Errors
    /// When the version is another, or the token is lower than one it has accepted.
    pub fn write(&mut self, service: &ServiceId, entry: &EntryId, token: FencingToken, version: u64, index: u64) -> Result<u64, Refusal> {
        let object = self.objects.entry(service.clone()).or_default();
        if token < object.token {
            return Err(Refusal::Token);
        }
        if version != object.version {
            return Err(Refusal::Version);
        }
        object.version += 1;
        object.token = token;
        object.stamps.push(entry.clone());
        let after = object.version;
        self.landed.push(Landed { entry: entry.clone(), token, service: service.clone(), at_ms: executor::elapsed_ms(), index });
        Ok(after)
    }

    /// Raises the fence above `token` on exactly that version: proof that no write of it can land any more.
    ///
    /// # Errors
    /// As `write`.
    pub fn raise_fence(&mut self, service: &ServiceId, token: FencingToken, version: u64) -> Result<(), Refusal> {
        let object = self.objects.entry(service.clone()).or_default();
        if token < object.token {
            return Err(Refusal::Token);
        }
        if version != object.version {
            return Err(Refusal::Version);
        }
        object.version += 1;
        object.token = FencingToken(token.0 + 1);
        Ok(())
    }

    /// Raises the fence to `token` on whatever version stands: no write that was sent before can land any more.
    pub fn fence(&mut self, service: &ServiceId, token: FencingToken) {
        let object = self.objects.entry(service.clone()).or_default();
        object.version += 1;
        object.token = object.token.max(token);
    }

    /// As [`Self::fence`], everywhere.
    pub fn fence_all(&mut self, token: FencingToken) {
        for object in self.objects.values_mut() {
            object.version += 1;
            object.token = object.token.max(token);
        }
    }
}
