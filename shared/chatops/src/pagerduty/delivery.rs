//! Raises and resolves alerts.

use super::event;
use crate::Clock;
use crate::bridge::decide::{Channel, Say};
use crate::bridge::lane::{Deliver, Subject};
use crate::dashboard_link::Dashboard;
use crate::http::{Http, outside_url};
use crate::secret::Secret;
use crate::slack::client::PostRef;
use picket_core::ports::{PortError, PortResult};
use reqwest::Url;

/// PagerDuty, as a channel of the bridge.
pub struct PagerDutyDelivery {
    http: Http,
    url: Url,
    routing_key: Secret,
    dashboard: Dashboard,
    clock: Clock,
}

impl PagerDutyDelivery {
    /// Takes the integration key and where events go. `clock` is the wall clock: alerts are sorted by it.
    ///
    /// # Errors
    /// `Refused` when the key is not 32 letters or digits, or the address is none that may be posted to.
    pub fn new(http: Http, url: &str, routing_key: Secret, dashboard: Dashboard, clock: Clock) -> PortResult<Self> {
        let refused = |what: &str, why: String| PortError::Refused { what: what.to_owned(), why };
        let url = outside_url(url).map_err(|why| refused("pagerduty.url", why))?;
        let key = routing_key.expose();
        if key.len() != 32 || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            let why = "it is not the integration key of an Events API v2 integration (32 letters and digits)".to_owned();
            return Err(refused("pagerduty.routing_key_file", why));
        }
        Ok(Self { http, url, routing_key, dashboard, clock })
    }
}

impl Deliver for PagerDutyDelivery {
    fn channel(&self) -> Channel {
        Channel::PagerDuty
    }

    async fn say(&self, say: Say, subject: &Subject, _: u64, _: Option<&PostRef>) -> PortResult<Option<PostRef>> {
        let what = "PagerDuty";
        let body = match (say, subject) {
            (Say::Raise, Subject::Entry(entry)) => event::trigger(&self.routing_key, entry, &self.dashboard, (self.clock)()),
            (_, subject) => event::resolve(&self.routing_key, subject.id()),
        };
        self.http.post(what, &self.url, None, &body, |reply| reply.by_status(what)).await?;
        Ok(None)
    }
}
