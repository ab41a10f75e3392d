//! The suite of every executor, act by act.

use crate::repository::{CART, Repository, cart, work};
use picket_core::action::Remediation;
use picket_core::proposal::Work;
use picket_executor_conformance::Sink;
use picket_gitops::GitOpsExecutor;
use serde_json::{Value, json};

const VOLUME: &str = "clusters/east/shop/volume.yaml";
const POLICY: &str = "clusters/east/shop/picket-quarantine-cart.yaml";

struct Branch {
    repository: Repository,
    remediation: Remediation,
}

impl Branch {
    const fn file(&self) -> &'static str {
        match self.remediation {
            Remediation::ExpandVolume { .. } => VOLUME,
            Remediation::Quarantine => POLICY,
            _ => CART,
        }
    }
}

impl Sink for Branch {
    type Executor = GitOpsExecutor;

    fn executor(&self) -> GitOpsExecutor {
        self.repository.executor()
    }

    fn act(&self) -> Work {
        work(self.remediation.clone())
    }

    async fn stands(&self) -> Value {
        // A policy that was lifted does nothing.
        json!(self.repository.show(self.file()).filter(|text| !text.contains("picket.dev/quarantine: lifted")))
    }

    async fn changes(&self) -> u64 {
        self.repository.commits(&[self.file()])
    }

    async fn somebody_else_changes_it(&self) {
        let stands = self.repository.show(self.file());
        let (file, text) = match self.remediation {
            Remediation::ExpandVolume { .. } => {
                (VOLUME, stands.unwrap().replace("storage: 10Gi", "storage: 15Gi").replace("storage: 20Gi", "storage: 30Gi"))
            }
            Remediation::Quarantine => (
                POLICY,
                stands
                    .unwrap_or("kind: NetworkPolicy\nmetadata: {name: picket-quarantine-cart}\nspec: {}\n".into())
                    .replace("Egress", "Ingress"),
            ),
            _ => (CART, cart(7, 4).replace("512Mi", "640Mi").replace("250m", "300m")),
        };
        self.repository.commit("by hand", &[(file, &text)]);
    }
}

async fn conforms(remediation: Remediation) {
    picket_executor_conformance::all(|| async { Branch { repository: Repository::new(), remediation: remediation.clone() } }).await;
}

#[tokio::test]
async fn restart() {
    conforms(Remediation::RolloutRestart).await;
}

#[tokio::test]
async fn rollback() {
    conforms(Remediation::Rollback { to_revision: 1 }).await;
}

#[tokio::test]
async fn scale() {
    conforms(Remediation::Scale { replicas: 5, from: 3 }).await;
}

#[tokio::test]
async fn memory_limit() {
    conforms(Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 1 << 30 }).await;
}

#[tokio::test]
async fn resources() {
    conforms(Remediation::SetResources { container: "cart".into(), cpu_request_millicores: 1500, memory_bytes: 768 << 20 }).await;
}

#[tokio::test]
async fn expand_volume() {
    conforms(Remediation::ExpandVolume { claim: "data-cart".into(), size_bytes: 20 << 30 }).await;
}

#[tokio::test]
async fn quarantine() {
    conforms(Remediation::Quarantine).await;
}
