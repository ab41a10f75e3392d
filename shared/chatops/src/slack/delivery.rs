//! Says what was decided to say in Slack.

use super::button::ButtonKey;
use super::client::{PostRef, SlackClient};
use super::message::{self, Scene};
use crate::Clock;
use crate::bridge::decide::{Channel, Say};
use crate::bridge::lane::{Deliver, Subject};
use crate::dashboard_link::Dashboard;
use picket_core::ports::{PortError, PortResult};
use std::sync::Arc;

/// Slack, as a channel of the bridge.
pub struct SlackDelivery {
    /// Posts.
    pub client: Arc<SlackClient>,
    /// Seals buttons; `None` where nobody listens for presses.
    pub key: Option<ButtonKey>,
    /// Links.
    pub dashboard: Dashboard,
    /// Run clock.
    pub clock: Clock,
}

impl Deliver for SlackDelivery {
    fn channel(&self) -> Channel {
        Channel::Slack
    }

    async fn say(&self, say: Say, subject: &Subject, stop_epoch: u64, post: Option<&PostRef>) -> PortResult<Option<PostRef>> {
        let message = match subject {
            Subject::Entry(entry) => {
                let scene = Scene { key: self.key.as_ref(), dashboard: &self.dashboard, stop_epoch, now: (self.clock)() };
                message::message(say, entry, scene)
            }
            Subject::Gone(id) => message::gone(id, &self.dashboard),
        };
        // A question and a page are posted, so that people hear of them; what becomes of them is shown in place.
        let Some(post) = post.filter(|_| !matches!(say, Say::Ask | Say::Page)) else { return self.client.post(&message).await };
        match self.client.update(post, &message).await {
            Ok(()) => Ok(Some(post.clone())),
            Err(PortError::NotFound { .. }) => self.client.post(&message).await,
            Err(error) => Err(error),
        }
    }
}
