//! What a platform team writes down: which channels, who is who, and where the secrets are.

use crate::dashboard_link::Dashboard;
use crate::http::outside_url;
use crate::people::{Directory, PersonName, Role, SlackUser};
use crate::secret::Secret;
use picket_core::config::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Chat and paging. All of it may be left out: then nothing is sent, and approvals are on the dashboard and the command line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChatOpsSettings {
    /// Slack: messages, and buttons that decide.
    pub slack: SlackSettings,
    /// Microsoft Teams: messages, one-way.
    pub teams: TeamsSettings,
    /// PagerDuty: alerts, one-way.
    pub pagerduty: PagerDutySettings,
    /// The dashboard's address, for links; empty for no links (not with Teams, whose only button is the link).
    pub dashboard_url: String,
}

/// Slack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlackSettings {
    /// Incoming webhook; empty for none. Its address is its secret. A webhook cannot change what it posted: a decision is a message of its own.
    pub webhook: Secret,
    /// File with the bot token (`xoxb-…`, scope `chat:write`); empty for none. Goes before the webhook: messages are updated in place.
    pub bot_token_file: String,
    /// Channel id (`C…`) that the bot posts to; needed with `bot_token_file`.
    pub channel: String,
    /// File with the app's signing secret; needed with `listen`.
    pub signing_secret_file: String,
    /// `IP:PORT` where Slack's button presses arrive (`POST /slack/interactions`); empty for messages without buttons.
    pub listen: String,
    /// Workspace id (`T…`) that presses must come from; empty to take any that carries the signature.
    pub team: String,
    /// App id (`A…`) that presses must come from; empty to take any that carries the signature.
    pub app: String,
    /// Who is who. An account that is not here decides nothing.
    pub people: Vec<PersonSettings>,
    /// Slack's Web API.
    pub api_url: String,
    /// Where answers to presses may be sent: scheme, host and, when not the usual one, port.
    pub response_origin: String,
}

impl Default for SlackSettings {
    fn default() -> Self {
        Self {
            webhook: Secret::default(),
            bot_token_file: String::new(),
            channel: String::new(),
            signing_secret_file: String::new(),
            listen: String::new(),
            team: String::new(),
            app: String::new(),
            people: Vec::new(),
            api_url: "https://slack.com/api/".to_owned(),
            response_origin: "https://hooks.slack.com".to_owned(),
        }
    }
}

/// A Slack account and the person it stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonSettings {
    /// Slack member id (`U…`).
    pub slack: String,
    /// Name in the certificate: `kim` for `human:kim`.
    pub person: String,
    /// `approver` or `viewer`.
    pub role: Role,
}

/// Microsoft Teams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TeamsSettings {
    /// Address of the Workflows webhook; empty for none. It is a secret.
    pub webhook: Secret,
}

/// PagerDuty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PagerDutySettings {
    /// File with the integration key of an Events API v2 integration (32 characters); empty for none.
    pub routing_key_file: String,
    /// Where events go; `https://events.eu.pagerduty.com/v2/enqueue` for accounts of the EU region.
    pub url: String,
}

impl Default for PagerDutySettings {
    fn default() -> Self {
        Self { routing_key_file: String::new(), url: "https://events.pagerduty.com/v2/enqueue".to_owned() }
    }
}

/// People beyond this are a mistake in a file.
const PEOPLE_MAX: usize = 1000;

impl ChatOpsSettings {
    /// Everything that is wrong, by key; `at` is where these settings stand (`orchestration.chatops`).
    #[must_use]
    pub fn problems(&self, at: &str) -> Vec<Problem> {
        let mut found = Found { at, problems: Vec::new() };
        self.slack.check(&mut found);
        found.url("teams.webhook", self.teams.webhook.expose());
        found.url("pagerduty.url", &self.pagerduty.url);
        found.must(!self.pagerduty.url.is_empty(), "pagerduty.url", "must not be empty; leave it out for PagerDuty's own");
        if let Err(why) = Dashboard::new(&self.dashboard_url) {
            found.must(false, "dashboard_url", &why);
        }
        found.must(
            self.teams.webhook.is_empty() || !self.dashboard_url.is_empty(),
            "dashboard_url",
            "is needed with Teams: the card's button leads there",
        );
        found.problems
    }

    /// Nothing is to be sent anywhere.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        !self.slack.posts() && self.teams.webhook.is_empty() && self.pagerduty.routing_key_file.is_empty()
    }
}

impl SlackSettings {
    /// There is a way to post.
    #[must_use]
    pub const fn posts(&self) -> bool {
        !self.webhook.is_empty() || !self.bot_token_file.is_empty()
    }

    /// Who is who; lines that [`ChatOpsSettings::problems`] refuses are left out.
    #[must_use]
    pub fn directory(&self) -> Directory {
        let read = |p: &PersonSettings| Some((SlackUser::new(&p.slack).ok()?, PersonName::new(&p.person).ok()?, p.role));
        Directory::new(self.people.iter().filter_map(read))
    }

    fn check(&self, found: &mut Found<'_>) {
        found.url("slack.webhook", self.webhook.expose());
        found.url("slack.api_url", &self.api_url);
        found.url("slack.response_origin", &self.response_origin);
        found.must(!self.response_origin.is_empty(), "slack.response_origin", "must not be empty; leave it out for Slack's own");
        found.must(self.api_url.ends_with('/'), "slack.api_url", "must end with `/`; leave it out for Slack's own");
        found.must(
            self.bot_token_file.is_empty() || is_id(&self.channel, &['C', 'G']),
            "slack.channel",
            "must be a channel id such as C012AB3CD when there is a bot token",
        );
        found.must(self.team.is_empty() || is_id(&self.team, &['T']), "slack.team", "is not a workspace id such as T012AB3CD");
        found.must(self.app.is_empty() || is_id(&self.app, &['A']), "slack.app", "is not an app id such as A012AB3CD");
        if !self.listen.is_empty() {
            found.must(self.listen.parse::<SocketAddr>().is_ok(), "slack.listen", "is not IP:PORT");
            found.must(self.posts(), "slack.listen", "needs `webhook` or `bot_token_file`: without messages there are no buttons");
            found.must(
                !self.signing_secret_file.is_empty(),
                "slack.signing_secret_file",
                "is needed with `listen`: presses are checked by it",
            );
            let approvers = self.people.iter().filter(|p| p.role == Role::Approver).count();
            found.must(approvers > 0, "slack.people", "needs an approver when there are buttons");
        }
        found.must(self.people.len() <= PEOPLE_MAX, "slack.people", "has more than 1000 lines");
        let mut accounts = BTreeSet::new();
        for (line, one) in self.people.iter().take(PEOPLE_MAX).enumerate() {
            if let Err(why) = SlackUser::new(&one.slack) {
                found.must(false, &format!("slack.people[{line}].slack"), &why);
            }
            if let Err(why) = PersonName::new(&one.person) {
                found.must(false, &format!("slack.people[{line}].person"), &why);
            }
            found.must(accounts.insert(&one.slack), &format!("slack.people[{line}].slack"), "stands in another line already");
        }
    }
}

fn is_id(text: &str, first: &[char]) -> bool {
    (3..=32).contains(&text.len()) && text.starts_with(first) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

struct Found<'a> {
    at: &'a str,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn must(&mut self, holds: bool, key: &str, why: &str) {
        if !holds {
            self.problems.push(Problem { key: format!("{}.{key}", self.at), why: why.to_owned() });
        }
    }

    fn url(&mut self, key: &str, text: &str) {
        if let Err(why) = outside_url(text)
            && !text.is_empty()
        {
            self.must(false, key, &why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WHOLE: &str = "
slack:
  webhook: https://hooks.slack.com/services/T0/B0/secret-part
  bot_token_file: /run/secrets/slack-bot
  channel: C012AB3CD
  signing_secret_file: /run/secrets/slack-signing
  listen: 0.0.0.0:8088
  team: T012AB3CD
  app: A012AB3CD
  people:
    - { slack: U123, person: kim, role: approver }
    - { slack: U124, person: lee, role: viewer }
teams: { webhook: https://prod-1.westeurope.logic.azure.com/workflows/secret-flow }
pagerduty: { routing_key_file: /run/secrets/pagerduty }
dashboard_url: https://picket.example
";

    fn read(text: &str) -> ChatOpsSettings {
        serde_saphyr::from_str(text).unwrap()
    }

    fn keys(text: &str) -> Vec<String> {
        read(text).problems("chatops").into_iter().map(|p| p.key).collect()
    }

    #[test]
    fn a_whole_file_reads_and_hides_its_secrets() {
        let settings = read(WHOLE);
        assert_eq!(settings.problems("chatops"), []);
        assert!(!settings.is_off() && ChatOpsSettings::default().is_off());
        assert_eq!(settings.slack.directory().approvers().len(), 1);
        for shown in [format!("{settings:?}"), serde_json::to_string(&settings).unwrap()] {
            assert!(!shown.contains("secret-part") && !shown.contains("secret-flow"), "{shown}");
        }
    }

    #[test]
    fn the_default_is_off_and_sound() {
        assert_eq!(ChatOpsSettings::default().problems("chatops"), []);
        assert_eq!(read("{}"), ChatOpsSettings::default());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        assert!(serde_saphyr::from_str::<ChatOpsSettings>("slak: {}").is_err());
        assert_eq!(keys("slack: { webhook: 'http://hooks.slack.com/x' }"), ["chatops.slack.webhook"]);
        assert_eq!(keys("slack: { bot_token_file: /x }"), ["chatops.slack.channel"]);
        assert_eq!(keys("teams: { webhook: 'https://a.example/x' }"), ["chatops.dashboard_url"]);
        let listening = keys("slack: { listen: nowhere }");
        assert_eq!(
            listening,
            ["chatops.slack.listen", "chatops.slack.listen", "chatops.slack.signing_secret_file", "chatops.slack.people"]
        );
        let twice = "slack: { people: [{ slack: U1A, person: a, role: viewer }, { slack: U1A, person: 'b c', role: viewer }] }";
        assert_eq!(keys(twice), ["chatops.slack.people[1].person", "chatops.slack.people[1].slack"]);
    }

    #[test]
    fn the_schema_names_every_key() {
        let schema = serde_json::to_string(&schemars::schema_for!(ChatOpsSettings)).unwrap();
        for key in ["signing_secret_file", "routing_key_file", "dashboard_url", "response_origin", "approver"] {
            assert!(schema.contains(key), "{key}");
        }
    }

    proptest! {
        #[test]
        fn no_text_at_all_is_a_panic(text in "\\PC{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for text in [text.clone(), format!("slack: {{ listen: '{text}', webhook: '{text}' }}"), String::from_utf8_lossy(&bytes).into_owned()] {
                if let Ok(settings) = serde_saphyr::from_str::<ChatOpsSettings>(&text) {
                    let _ = settings.problems("chatops");
                }
            }
        }
    }
}
