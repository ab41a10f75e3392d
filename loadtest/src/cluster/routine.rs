//! What goes on in a cluster where nothing is wrong: an autoscaler follows the load, and people deploy.

use super::SimCluster;
use crate::objects;
use picket_core::time::Timestamp;
use rand::RngExt as _;
use serde_json::json;
use std::collections::VecDeque;

/// How often the autoscaler looks, how far from its target it does nothing, and for how long it waits before it scales down: Kubernetes'
/// defaults for a `HorizontalPodAutoscaler`.
const LOOK_MS: i64 = 15_000;
const TOLERANCE: f64 = 0.1;
const DOWN_AFTER_MS: i64 = 300_000;
/// Fewest replicas that it leaves.
const REPLICAS_MIN: u32 = 2;
/// From one deployment of a service to the next, in seconds of event time.
const DEPLOYED_EVERY_S: (f64, f64) = (4.0 * 3600.0, 12.0 * 3600.0);

/// Of one service.
#[derive(Debug, Default)]
pub(crate) struct Routine {
    /// What the autoscaler found right, and when; as far back as it matters.
    wanted: VecDeque<(Timestamp, u32)>,
    /// `None`: not drawn yet.
    deployed_next: Option<Timestamp>,
}

impl SimCluster {
    /// One second of it; nothing unless the parameters ask for it.
    pub(super) fn run_routine(&mut self) {
        if !self.parameters.routine {
            return;
        }
        self.routines.resize_with(self.services.len(), Routine::default);
        for at in 0..self.services.len() {
            if self.now.0 % LOOK_MS == 0 {
                self.autoscale(at);
            }
            let after = |seconds: f64| Timestamp(self.now.0 + (seconds * 1000.0) as i64);
            let draw = self.streams.routine.random_range(DEPLOYED_EVERY_S.0..DEPLOYED_EVERY_S.1);
            match self.routines[at].deployed_next {
                // Nobody knows when it was deployed last.
                None => self.routines[at].deployed_next = Some(after(draw - DEPLOYED_EVERY_S.0)),
                Some(due) if due <= self.now => {
                    self.routines[at].deployed_next = Some(after(draw));
                    self.deploy(at);
                }
                Some(_) => {}
            }
        }
    }

    /// Services that keep nothing on a disk and request what they need are scaled to their usual load.
    fn autoscale(&mut self, at: usize) {
        let service = &self.services[at];
        let (spec, now) = (service.spec.clone(), self.now);
        let ready = service.ready_pods() as u32;
        if spec.volume_gib > 0 || !spec.managed || spec.over_request > 1.0 || ready == 0 {
            return;
        }
        let ratio = service.traffic.utilisation / spec.usual_utilisation;
        let current = service.desired();
        let wanted = if (ratio - 1.0).abs() <= TOLERANCE { current } else { (f64::from(ready) * ratio).ceil() as u32 };
        let wanted = wanted.clamp(REPLICAS_MIN, spec.replicas * 2);
        let seen = &mut self.routines[at].wanted;
        seen.push_back((now, wanted));
        while seen.front().is_some_and(|(then, _)| now.since_ms(*then) > DOWN_AFTER_MS) {
            seen.pop_front();
        }
        // Up at once, down to the most that was right in the last minutes.
        let most = seen.iter().map(|(_, replicas)| *replicas).max().unwrap_or(wanted);
        let target = if wanted > current { wanted } else { most.min(current) };
        if target != current {
            self.store.update(&objects::deployment_key(&spec), |deployment| deployment["spec"]["replicas"] = json!(target));
        }
    }

    /// A release by somebody else: a new image tag. Says which.
    pub(crate) fn deploy(&mut self, at: usize) -> String {
        let spec = self.services[at].spec.clone();
        let version = format!("v1.{}.0", self.services[at].next_version);
        self.services[at].next_version += 1;
        let image = format!("registry.local/{}:{version}", spec.name);
        let (text, now) = (image.clone(), crate::rfc3339::format(self.now));
        self.store.update(&objects::deployment_key(&spec), |deployment| {
            deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!(text);
            deployment["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"] = json!(version);
            deployment["metadata"]["managedFields"] =
                json!([{"manager": "continuous-delivery", "operation": "Update", "apiVersion": "apps/v1", "time": now}]);
        });
        image
    }
}
