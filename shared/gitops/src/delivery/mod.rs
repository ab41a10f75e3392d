//! What brings a branch to its cluster: Argo CD and Flux.

mod argocd;
mod flux;
mod managed_by;
mod self_heal;
mod watch;

pub use argocd::ArgoCd;
pub use flux::Flux;
pub use managed_by::{ManagedBy, managed_by};
use self_heal::SelfHealWatch;
pub use watch::DeliveryWatch;

use crate::settings::{ControllerKind, ControllerSettings};
use picket_core::ports::PortResult;
use std::time::Duration;

/// How far a delivery is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The commit that was applied last, as far as it says.
    pub applied: Option<String>,
    /// True when it failed, or is paused, and will not get further by itself.
    pub has_failed: bool,
    /// Its own words.
    pub why: String,
    /// Objects that differ from the commit, as `Kind namespace/name`.
    pub out_of_sync: Vec<String>,
    /// True when it writes changes back that others made in the cluster.
    pub heals_itself: bool,
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
