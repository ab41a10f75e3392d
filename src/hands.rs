//! What one cluster's actuator writes through: the cluster's API, git for namespaces that are changed by commits, and clouds for services that
//! run elsewhere.

use crate::side_files;
use crate::wiring::{Wiring, executor};
use picket_adapters::kubernetes::KubernetesExecutor;
use picket_clouds::CloudExecutor;
use picket_core::claim::ClaimedAction;
use picket_core::config::Cluster;
use picket_core::ids::{ClusterName, EntryId};
use picket_core::outcome::Receipt;
use picket_core::ports::{Before, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use picket_gitops::{DeliveryWatch, GitOpsExecutor, Routed, Routes, is_want_of_rights};

/// All of a cluster's executors, chosen by what the work is about.
pub struct Hands {
    cluster: ClusterWay,
    clouds: Option<CloudExecutor>,
}

/// How objects of the cluster itself are changed.
enum ClusterWay {
    Direct(KubernetesExecutor),
    Routed(Box<Routed<KubernetesExecutor, GitOpsExecutor>>),
}

/// The same call on whichever executor is in charge.
macro_rules! in_charge {
    ($hands:expr, $work:expr, $executor:ident => $call:expr) => {
        match (&$hands.clouds, &$hands.cluster) {
            (Some($executor), _) if $executor.handles($work) => $call,
            (_, ClusterWay::Direct($executor)) => $call,
            (_, ClusterWay::Routed($executor)) => $call,
        }
    };
}

impl Hands {
    /// As the configuration and its side files say.
    ///
    /// # Errors
    /// When a file cannot be read, or asks for what cannot be had.
    pub fn new(wiring: &Wiring, cluster: &Cluster) -> anyhow::Result<Self> {
        let name = ClusterName::from(cluster.name.as_str());
        let direct = executor(cluster)?;
        let way = match side_files::gitops(&wiring.config, cluster)? {
            None => ClusterWay::Direct(direct),
            Some(settings) => {
                let git = GitOpsExecutor::open(&settings, &name, &wiring.data(&format!("git-{name}"))?, wiring.now())?;
                ClusterWay::Routed(Box::new(Routed::new(direct, git, Routes::of(&settings, &name), is_want_of_rights)))
            }
        };
        let clouds = side_files::clouds(&wiring.config, cluster)?.map(|settings| CloudExecutor::new(&name, &settings)).transpose()?;
        Ok(Self { cluster: way, clouds })
    }

    /// What delivers the cluster's branches, for whoever follows it; `None` without branches.
    pub fn deliveries(&self) -> Option<DeliveryWatch> {
        match &self.cluster {
            ClusterWay::Direct(_) => None,
            ClusterWay::Routed(routed) => Some(routed.git().deliveries()),
        }
    }
}

impl RemediationExecutor for Hands {
    async fn prepare(&self, work: &Work) -> PortResult<Before> {
        in_charge!(self, work, executor => executor.prepare(work).await)
    }

    async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        in_charge!(self, claimed.work(), executor => executor.execute(claimed, before, now).await)
    }

    async fn prove(&self, entry: &EntryId, token: FencingToken, work: &Work, before: &Before, now: Timestamp) -> PortResult<Proof> {
        in_charge!(self, work, executor => executor.prove(entry, token, work, before, now).await)
    }

    async fn fence(&self, work: &Work, token: FencingToken) -> PortResult<()> {
        in_charge!(self, work, executor => executor.fence(work, token).await)
    }

    async fn abandon(&self, work: &Work) -> PortResult<()> {
        in_charge!(self, work, executor => executor.abandon(work).await)
    }

    /// Everywhere: each is tried, whatever becomes of the other.
    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        let in_clouds = match &self.clouds {
            Some(clouds) => clouds.fence_all(token).await,
            None => Ok(()),
        };
        match &self.cluster {
            ClusterWay::Direct(executor) => executor.fence_all(token).await?,
            ClusterWay::Routed(executor) => executor.fence_all(token).await?,
        }
        in_clouds
    }
}
