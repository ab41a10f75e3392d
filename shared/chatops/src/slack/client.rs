//! Posts to Slack: by an incoming webhook, or as a bot that can also change what it posted
//! (Slack, "Sending messages using incoming webhooks", "chat.postMessage", "chat.update", "Rate limits").

use super::message::Message;
use super::response_url::ResponseUrl;
use crate::http::{Http, Judged, Reply, outside_url};
use crate::secret::Secret;
use picket_core::ports::{PortError, PortResult};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A message that was posted, by which it is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostRef {
    /// Channel id, as Slack answered it.
    pub channel: String,
    /// The message's time, which is its id.
    pub ts: String,
}

/// How messages are posted.
#[derive(Clone)]
pub enum Way {
    /// To the one channel of an incoming webhook.
    Webhook(Url),
    /// As a bot.
    Bot {
        /// The bot token.
        token: Secret,
        /// Channel id.
        channel: String,
        /// The Web API, with a slash at its end.
        api: Url,
    },
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(_) => f.write_str("Webhook(hidden)"),
            Self::Bot { channel, api, .. } => {
                f.debug_struct("Bot").field("channel", channel).field("api", &api.as_str()).finish_non_exhaustive()
            }
        }
    }
}

impl Way {
    /// An incoming webhook.
    ///
    /// # Errors
    /// `Refused` when it is no address that may be posted to.
    pub fn webhook(address: &Secret) -> PortResult<Self> {
        outside_url(address.expose()).map(Self::Webhook).map_err(|why| PortError::Refused { what: "slack.webhook".into(), why })
    }

    /// A bot.
    ///
    /// # Errors
    /// `Refused` when `api` is no address that may be posted to.
    pub fn bot(token: Secret, channel: &str, api: &str) -> PortResult<Self> {
        let api = outside_url(api).map_err(|why| PortError::Refused { what: "slack.api_url".into(), why })?;
        Ok(Self::Bot { token, channel: channel.to_owned(), api })
    }
}

/// Slack's client.
#[derive(Clone, Debug)]
pub struct SlackClient {
    http: Http,
    way: Way,
}

/// What the Web API answers, whatever the status.
#[derive(Deserialize)]
struct Said {
    ok: bool,
    error: Option<String>,
    channel: Option<String>,
    ts: Option<String>,
}

/// Errors of the Web API after which the same may work.
const PASSING: &[&str] = &["ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];
/// The message is not there to be changed any more: it is posted anew.
const UNCHANGEABLE: &[&str] = &["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"];

impl SlackClient {
    /// Makes one.
    #[must_use]
    pub const fn new(http: Http, way: Way) -> Self {
        Self { http, way }
    }

    /// Posts a message; a bot learns by what to change it.
    ///
    /// # Errors
    /// As [`Http::post`]; `Refused` also for what the Web API refuses under status 200.
    pub async fn post(&self, message: &Message) -> PortResult<Option<PostRef>> {
        match &self.way {
            Way::Webhook(url) => {
                let what = "Slack's incoming webhook";
                self.http.post(what, url, None, &message.to_post(None), |reply| reply.by_status(what)).await?;
                Ok(None)
            }
            Way::Bot { channel, .. } => {
                let said = self.call("chat.postMessage", &message.to_post(Some(channel))).await?;
                Ok(said.channel.zip(said.ts).map(|(channel, ts)| PostRef { channel, ts }))
            }
        }
    }

    /// Changes a message that was posted. By webhook that cannot be done: it is posted anew.
    ///
    /// # Errors
    /// As [`SlackClient::post`]; `NotFound` when the message cannot be changed any more.
    pub async fn update(&self, post: &PostRef, message: &Message) -> PortResult<()> {
        match &self.way {
            Way::Webhook(_) => self.post(message).await.map(drop),
            Way::Bot { .. } => self.call("chat.update", &message.to_update(&post.channel, &post.ts)).await.map(drop),
        }
    }

    /// Answers a press.
    ///
    /// # Errors
    /// As [`Http::post`].
    pub async fn respond(&self, to: &ResponseUrl, body: &Value) -> PortResult<()> {
        let what = "Slack's response_url";
        self.http.post(what, to.url(), None, body, |reply| reply.by_status(what)).await.map(drop)
    }

    async fn call(&self, method: &str, body: &Value) -> PortResult<Said> {
        let Way::Bot { token, api, .. } = &self.way else {
            return Err(PortError::Refused { what: method.to_owned(), why: "there is no bot token".to_owned() });
        };
        let what = format!("Slack's {method}");
        let url = api.join(method).map_err(|e| PortError::Refused { what: what.clone(), why: e.to_string() })?;
        let reply = self.http.post(&what, &url, Some(token), body, |reply| judged(&what, reply)).await?;
        serde_json::from_slice(&reply.body)
            .map_err(|_| PortError::Unavailable { what, why: "it answered something else than JSON".to_owned() })
    }
}

/// The Web API says no under status 200.
fn judged(what: &str, reply: &Reply) -> Judged {
    match reply.by_status(what) {
        Judged::Done => {}
        other => return other,
    }
    match serde_json::from_slice::<Said>(&reply.body) {
        Err(_) => Judged::Again("it answered something else than JSON".to_owned()),
        Ok(said) if said.ok => Judged::Done,
        Ok(said) => {
            let error = crate::text::clean(&said.error.unwrap_or_default(), 100);
            if PASSING.contains(&error.as_str()) {
                Judged::Again(error)
            } else if UNCHANGEABLE.contains(&error.as_str()) && what.ends_with("chat.update") {
                Judged::Never(PortError::NotFound { what: format!("the message ({error})") })
            } else {
                let why = format!("{error}; look at the app's scopes and channel, and at its token");
                Judged::Never(PortError::Refused { what: what.to_owned(), why })
            }
        }
    }
}
