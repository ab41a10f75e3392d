//! What brings a branch to its cluster: Argo CD and Flux.

mod argocd;
mod flux;
mod managed_by;
mod self_heal;

pub use argocd::ArgoCd;
pub use flux::Flux;
pub use managed_by::{ManagedBy, managed_by};
pub use self_heal::SelfHealWatch;

use crate::settings::{ControllerKind, ControllerSettings};
use picket_core::ports::PortResult;
use std::time::Duration;

/// How far a delivery is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The commit that was applied last, as far as it says.
    pub applied: Option<String>,
    /// The commit that it last tried, as far as it says.
    pub attempted: Option<String>,
    /// True when what it applied is all in place and well.
    pub is_ready: bool,
    /// True when it failed, or is paused, and will not get further by itself.
    pub has_failed: bool,
    /// Its own words.
    pub why: String,
    /// Objects that differ from the commit, as `Kind namespace/name`.
    pub out_of_sync: Vec<String>,
    /// True when it writes changes back that others made in the cluster.
    pub heals_itself: bool,
}

/// Whether a commit has reached the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Synced {
    /// It, or a later commit, is applied and in place.
    Yes,
    /// Not yet; what is missing.
    NotYet(String),
    /// It will not without help; why.
    Failed(String),
}

/// A delivery controller. Every call has a deadline.
pub trait DeliveryController: Send + Sync {
    /// Asks it to look at the branch now. `at` is a mark that is new with every request; the same one again asks for nothing.
    fn request_sync(&self, revision: &str, at: &str) -> impl Future<Output = PortResult<()>> + Send;
    /// How far it is.
    fn delivery(&self) -> impl Future<Output = PortResult<Delivery>> + Send;
}

/// The configured one.
#[derive(Clone, Debug)]
pub enum Controller {
    /// Argo CD.
    ArgoCd(ArgoCd),
    /// Flux.
    Flux(Flux),
}

impl Controller {
    /// From checked settings; `None` when there is none.
    ///
    /// # Errors
    /// In words, when its CA or address cannot be used.
    pub fn of(settings: &ControllerSettings, timeout: Duration) -> Result<Option<Self>, String> {
        Ok(match settings.kind {
            ControllerKind::None => None,
            ControllerKind::ArgoCd => Some(Self::ArgoCd(ArgoCd::new(settings, timeout)?)),
            ControllerKind::Flux => Some(Self::Flux(Flux::new(settings, timeout)?)),
        })
    }
}

impl DeliveryController for Controller {
    async fn request_sync(&self, revision: &str, at: &str) -> PortResult<()> {
        match self {
            Self::ArgoCd(argocd) => argocd.request_sync(revision, at).await,
            Self::Flux(flux) => flux.request_sync(revision, at).await,
        }
    }

    async fn delivery(&self) -> PortResult<Delivery> {
        match self {
            Self::ArgoCd(argocd) => argocd.delivery().await,
            Self::Flux(flux) => flux.delivery().await,
        }
    }
}

impl Delivery {
    /// Whether the commit has arrived; `contains` says whether one commit holds another (it, or a descendant).
    #[must_use]
    pub fn synced(&self, applied_contains: bool, attempted_contains: bool) -> Synced {
        let told = |what: &str| if self.why.is_empty() { what.to_owned() } else { format!("{what}: {}", self.why) };
        match (applied_contains, self.is_ready) {
            (true, true) => Synced::Yes,
            // A failure of an older commit says nothing of this one.
            _ if self.has_failed && (applied_contains || attempted_contains) => Synced::Failed(told("the delivery failed")),
            (true, false) => Synced::NotYet(told("it is applied and not in place yet")),
            (false, _) => Synced::NotYet(told("it is not applied yet")),
        }
    }
}
