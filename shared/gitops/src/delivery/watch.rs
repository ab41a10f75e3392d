//! Looks again and again at what the controllers say, for what nobody else would notice.

use super::{Controller, Delivery, DeliveryController as _, SelfHealWatch};
use picket_core::time::Timestamp;

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
    told: Option<Trouble>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Trouble {
    Silent,
    Failed,
    Fights,
}

impl DeliveryWatch {
    /// Of branches, by name, and what delivers each.
    pub(crate) fn new(deliveries: impl Iterator<Item = (String, Controller)>) -> Self {
        let followed = |(branch, controller)| Followed { branch, controller, heals: SelfHealWatch::default(), told: None };
        Self { followed: deliveries.map(followed).collect() }
    }

    /// Looks at each once, and says in words what is wrong and was not so at the look before.
    pub async fn look(&mut self, now: Timestamp) -> Vec<String> {
        let mut news = Vec::new();
        for followed in &mut self.followed {
            let found = match followed.controller.delivery().await {
                Ok(delivery) => trouble(&delivery, &mut followed.heals, now),
                Err(error) => Some((Trouble::Silent, error.to_string())),
            };
            let kind = found.as_ref().map(|(kind, _)| *kind);
            if let Some((_, words)) = found.filter(|_| kind != followed.told) {
                news.push(format!("delivery of {}: {words}", followed.branch));
            }
            followed.told = kind;
        }
        news
    }
}

fn trouble(delivery: &Delivery, heals: &mut SelfHealWatch, now: Timestamp) -> Option<(Trouble, String)> {
    let fights = heals.observe(delivery, now);
    if delivery.has_failed {
        return Some((Trouble::Failed, format!("it goes no further by itself: {}", delivery.why)));
    }
    let objects = fights.join(", ");
    let words =
        || format!("{objects} is changed in the cluster and written back, again and again: send its namespace by git (docs/gitops.md)");
    (!fights.is_empty()).then(|| (Trouble::Fights, words()))
}
