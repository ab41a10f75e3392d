//! The two kinds of resources, behind the same three calls.

use super::api::{Api, Moment, Reply};
use super::error::Failure;
use super::reading::Reading;
use super::{autoscaling, ecs};
use crate::plan::Change;
use crate::settings::CloudTarget;

/// One resource.
#[derive(Clone, Debug)]
pub(super) enum Resource {
    Ecs { region: String, cluster: String, service: String },
    Asg { region: String, group: String, min_healthy_percentage: u8 },
}

impl Resource {
    /// `None` for a target of another cloud.
    pub(super) fn of(target: &CloudTarget, min_healthy_percentage: u8) -> Option<Self> {
        match target.clone() {
            CloudTarget::Ecs { region, cluster, service } => Some(Self::Ecs { region, cluster, service }),
            CloudTarget::Asg { region, group } => Some(Self::Asg { region, group, min_healthy_percentage }),
            CloudTarget::AksPool { .. } | CloudTarget::Vmss { .. } => None,
        }
    }

    /// `None` when it does not exist.
    pub(super) async fn read(&self, api: &Api, moment: Moment) -> Result<Reply<Option<Reading>>, Failure> {
        match self {
            Self::Ecs { region, cluster, service } => ecs::read(api, region, cluster, service, moment).await,
            Self::Asg { region, group, .. } => autoscaling::read(api, region, group, moment).await,
        }
    }

    /// Sets tags; others stay.
    pub(super) async fn tag(&self, api: &Api, id: &str, tags: &[(&'static str, String)], moment: Moment) -> Result<(), Failure> {
        match self {
            Self::Ecs { region, .. } => ecs::tag(api, region, id, tags, moment).await,
            Self::Asg { region, group, .. } => autoscaling::tag(api, region, group, tags, moment).await,
        }
    }

    /// The one write that has an effect. The rollout that it began, for a restart.
    pub(super) async fn change(&self, api: &Api, change: Change, moment: Moment) -> Result<Option<String>, Failure> {
        match self {
            Self::Ecs { region, cluster, service } => ecs::change(api, region, cluster, service, change, moment).await,
            Self::Asg { region, group, min_healthy_percentage } => {
                autoscaling::change(api, region, group, change, *min_healthy_percentage, moment).await
            }
        }
    }

    /// Whether the newest rollout that AWS names cannot become an earlier one again. Instance refreshes are kept for six weeks; of a service's
    /// deployments only those are named that still have tasks, and one that is rolled back makes an earlier one the newest.
    pub(super) const fn keeps_rollouts(&self) -> bool {
        matches!(self, Self::Asg { .. })
    }
}
