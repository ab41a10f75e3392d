//! One executor for all targets of a cluster: finds the target of the work, and hands it over.

use crate::clock::{Clock, SystemClock};
use crate::error::CloudError;
use crate::http::Http;
use crate::object::object;
use crate::settings::{CloudSettings, CloudTarget};
use futures::StreamExt as _;
use picket_core::claim::ClaimedAction;
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::ports::{Before, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Carries acts out on the services of one cluster that run on a cloud's own services.
#[derive(Clone)]
pub struct CloudExecutor {
    places: Arc<BTreeMap<ServiceId, Place>>,
    parallel: usize,
}

#[derive(Clone)]
pub(crate) enum Place {
    #[cfg(feature = "aws")]
    Aws(crate::aws::AwsTarget),
    #[cfg(feature = "azure")]
    Azure(crate::azure::AzureTarget),
}

impl std::fmt::Debug for CloudExecutor {
    /// Without the ways, which hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CloudExecutor").field("services", &self.places.keys()).finish_non_exhaustive()
    }
}

impl CloudExecutor {
    /// For the services of `cluster` that the settings name. The process must have a TLS provider; nothing is sent yet.
    ///
    /// # Errors
    /// [`CloudError`] when a setting is wrong, the credentials that it names are not there, or a target's cloud is not built in.
    pub fn new(cluster: &ClusterName, settings: &CloudSettings) -> Result<Self, CloudError> {
        Self::with_clock(cluster, settings, Arc::new(SystemClock))
    }

    /// The same, with another clock for signatures and expiries.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_clock(cluster: &ClusterName, settings: &CloudSettings, clock: Arc<dyn Clock>) -> Result<Self, CloudError> {
        settings.validate()?;
        let ways = Ways::new(settings, &clock)?;
        let mut places = BTreeMap::new();
        for (service, target) in &settings.targets {
            let (namespace, name) = service.split_once('/').unwrap_or_default();
            let place = ways.to(target).ok_or_else(|| {
                CloudError::new(format!("clouds.targets.{service}"), format!("this build cannot reach {}", object(target).kind))
            })?;
            places.insert(ServiceId::new(cluster.clone(), namespace, name), place);
        }
        Ok(Self { places: Arc::new(places), parallel: settings.parallel })
    }

    /// Every service, and where it runs.
    pub(crate) fn places(&self) -> Vec<(ServiceId, Place)> {
        self.places.iter().map(|(service, place)| (service.clone(), place.clone())).collect()
    }

    /// How many targets are asked at the same time.
    pub(crate) const fn parallel(&self) -> usize {
        self.parallel
    }

    /// Whether the work's service is one of these.
    #[must_use]
    pub fn handles(&self, work: &Work) -> bool {
        self.places.contains_key(&work.action().service)
    }

    /// The object that acts on a service write; `None` when the service is none of these.
    #[must_use]
    pub fn object_of(settings: &CloudSettings, service: &ServiceId) -> Option<ObjectRef> {
        settings.targets.get(&format!("{}/{}", service.namespace, service.name)).map(object)
    }

    fn place(&self, work: &Work) -> PortResult<&Place> {
        let service = &work.action().service;
        self.places.get(service).ok_or_else(|| PortError::Refused {
            what: service.to_string(),
            why: "no cloud target is configured for it (clouds.targets)".to_owned(),
        })
    }
}

/// One way to each cloud that a target needs.
struct Ways {
    #[cfg(feature = "aws")]
    aws: Option<crate::aws::Aws>,
    #[cfg(feature = "azure")]
    azure: Option<crate::azure::Azure>,
}

impl Ways {
    fn new(settings: &CloudSettings, clock: &Arc<dyn Clock>) -> Result<Self, CloudError> {
        let http = Http::new(settings.reaches_far())?;
        #[cfg(feature = "aws")]
        let needs_aws = settings.targets.values().any(|t| matches!(t, CloudTarget::Ecs { .. } | CloudTarget::Asg { .. }));
        #[cfg(feature = "azure")]
        let needs_azure = settings.targets.values().any(|t| matches!(t, CloudTarget::AksPool { .. } | CloudTarget::Vmss { .. }));
        Ok(Self {
            #[cfg(feature = "aws")]
            aws: needs_aws.then(|| crate::aws::Aws::new(http.clone(), settings, clock.clone())).transpose()?,
            #[cfg(feature = "azure")]
            azure: needs_azure.then(|| crate::azure::Azure::new(http.clone(), settings, clock.clone())),
        })
    }

    /// `None` for a cloud that is not built in.
    fn to(&self, target: &CloudTarget) -> Option<Place> {
        #[cfg(feature = "aws")]
        if let Some(place) = self.aws.as_ref().and_then(|aws| aws.target(target)) {
            return Some(Place::Aws(place));
        }
        #[cfg(feature = "azure")]
        if let Some(place) = self.azure.as_ref().and_then(|azure| azure.target(target)) {
            return Some(Place::Azure(place));
        }
        None
    }
}

macro_rules! on {
    ($place:expr, $target:ident => $call:expr) => {
        match $place {
            #[cfg(feature = "aws")]
            Place::Aws($target) => $call,
            #[cfg(feature = "azure")]
            Place::Azure($target) => $call,
        }
    };
}

impl Place {
    /// What the resource is now; `None` when there is none.
    pub(crate) async fn snapshot(&self) -> PortResult<Option<crate::snapshot::Snapshot>> {
        on!(self, target => target.snapshot().await)
    }

    async fn fence(&self, token: FencingToken) -> PortResult<()> {
        on!(self, target => target.fence(token).await)
    }
}

impl RemediationExecutor for CloudExecutor {
    async fn prepare(&self, work: &Work) -> PortResult<Before> {
        on!(self.place(work)?, target => target.prepare(work).await)
    }

    async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        on!(self.place(claimed.work())?, target => target.execute(claimed, before, now).await)
    }

    async fn prove(&self, entry: &EntryId, token: FencingToken, work: &Work, before: &Before, now: Timestamp) -> PortResult<Proof> {
        on!(self.place(work)?, target => target.prove(entry, token, work, before, now).await)
    }

    async fn fence(&self, work: &Work, token: FencingToken) -> PortResult<()> {
        self.place(work)?.fence(token).await
    }

    /// Every target is tried, whatever becomes of the others; the first error is the answer.
    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        let places: Vec<Place> = self.places.values().cloned().collect();
        let fences = futures::stream::iter(places).map(|place| async move { place.fence(token).await });
        let ends: Vec<PortResult<()>> = fences.buffer_unordered(self.parallel).collect().await;
        ends.into_iter().collect()
    }
}
