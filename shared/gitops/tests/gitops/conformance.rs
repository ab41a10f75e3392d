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

fn catalogue() -> Vec<Remediation> {
    let container = || "cart".to_owned();
    vec![
        Remediation::RolloutRestart,
        Remediation::Rollback { to_revision: 1 },
        Remediation::Scale { replicas: 5, from: 3 },
        Remediation::SetMemoryLimit { container: container(), limit_bytes: 1 << 30 },
        Remediation::SetResources { container: container(), cpu_request_millicores: 1500, memory_bytes: 768 << 20 },
        Remediation::ExpandVolume { claim: "data-cart".into(), size_bytes: 20 << 30 },
        Remediation::Quarantine,
    ]
}

#[tokio::test]
async fn every_act_conforms() {
    for remediation in catalogue() {
        println!("{remediation:?}");
        picket_executor_conformance::all(|| async { Branch { repository: Repository::new(), remediation: remediation.clone() } }).await;
    }
}
