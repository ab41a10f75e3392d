//! Says what was decided to say in Teams.

use super::card::card;
use crate::Clock;
use crate::bridge::decide::{Channel, Say};
use crate::bridge::lane::{Deliver, Subject};
use crate::dashboard_link::Dashboard;
use crate::http::{Http, outside_url};
use crate::secret::Secret;
use crate::slack::client::PostRef;
use crate::summary::Summary;
use picket_core::ports::{PortError, PortResult};
use reqwest::Url;

/// Teams, as a channel of the bridge.
pub struct TeamsDelivery {
    http: Http,
    webhook: Url,
    dashboard: Dashboard,
    clock: Clock,
}

impl TeamsDelivery {
    /// Takes the address of a Workflows webhook.
    ///
    /// # Errors
    /// `Refused` when it is no address that may be posted to.
    pub fn new(http: Http, webhook: &Secret, dashboard: Dashboard, clock: Clock) -> PortResult<Self> {
        let webhook = outside_url(webhook.expose()).map_err(|why| PortError::Refused { what: "teams.webhook".into(), why })?;
        Ok(Self { http, webhook, dashboard, clock })
    }
}

impl Deliver for TeamsDelivery {
    fn channel(&self) -> Channel {
        Channel::Teams
    }

    async fn say(&self, say: Say, subject: &Subject, _: u64, _: Option<&PostRef>) -> PortResult<Option<PostRef>> {
        let what = "the Teams workflow";
        let summary = match subject {
            Subject::Entry(entry) => Summary::of(say, entry, (self.clock)()),
            Subject::Gone(id) => Summary::gone(id),
        };
        let body = card(&summary, subject.id(), &self.dashboard);
        self.http.post(what, &self.webhook, None, &body, |reply| reply.by_status(what)).await?;
        Ok(None)
    }
}
