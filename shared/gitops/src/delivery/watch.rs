//! Looks again and again at what the controllers say, for what nobody else would notice.

use super::{Controller, Delivery, DeliveryController as _, SelfHealWatch};
use picket_core::time::Timestamp;
use std::collections::BTreeSet;

/// Follows the deliveries of one cluster's branches.
#[derive(Debug)]
pub struct DeliveryWatch {
    followed: Vec<Followed>,
}

#[derive(Debug)]
struct Followed {
    branch: String,
    controller: Controller,
    heals: SelfHealWatch,
    /// What was wrong at the last look.
    told: BTreeSet<String>,
}

impl DeliveryWatch {
    /// Of branches, by name, and what delivers each.
    pub(crate) fn new(deliveries: impl Iterator<Item = (String, Controller)>) -> Self {
        let followed = |(branch, controller)| Followed { branch, controller, heals: SelfHealWatch::default(), told: BTreeSet::new() };
        Self { followed: deliveries.map(followed).collect() }
    }

    /// Looks at each once, and says in words what is wrong and was not so at the look before.
    pub async fn look(&mut self, now: Timestamp) -> Vec<String> {
        let mut news = Vec::new();
        for followed in &mut self.followed {
            let wrong = match followed.controller.delivery().await {
                Ok(delivery) => wrong_with(&delivery, &mut followed.heals, now),
                Err(error) => BTreeSet::from([error.to_string()]),
            };
            news.extend(wrong.difference(&followed.told).map(|words| format!("delivery of {}: {words}", followed.branch)));
            followed.told = wrong;
        }
        news
    }
}

fn wrong_with(delivery: &Delivery, heals: &mut SelfHealWatch, now: Timestamp) -> BTreeSet<String> {
    let failed = delivery.has_failed.then(|| format!("it goes no further by itself: {}", delivery.why));
    let fights = heals.observe(delivery, now).into_iter();
    let told = |object| {
        format!("{object} is changed in the cluster and written back, again and again: send its namespace by git (docs/gitops.md)")
    };
    fights.map(told).chain(failed).collect()
}
