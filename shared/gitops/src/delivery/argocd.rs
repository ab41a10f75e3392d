//! Argo CD's REST API (argo-cd.readthedocs.io, API docs: ApplicationService).

use super::{Delivery, DeliveryController};
use crate::http::{Api, Credential, text};
use crate::settings::ControllerSettings;
use picket_core::ports::PortResult;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::time::Duration;

/// Objects that are told of at most.
const OUT_OF_SYNC_MAX: usize = 50;

/// One Application. Its rollback is never used: it would take the cluster away from what the branch says.
#[derive(Clone, Debug)]
pub struct ArgoCd {
    api: Api,
    application: String,
    namespace: String,
}

impl ArgoCd {
    /// From checked settings.
    ///
    /// # Errors
    /// In words, when its CA or address cannot be used.
    pub fn new(settings: &ControllerSettings, timeout: Duration) -> Result<Self, String> {
        let ControllerSettings { url, token_file, ca_file, application, namespace, .. } = settings;
        let api = Api::new("Argo CD", url, token_file, ca_file, Credential::Bearer, timeout)?;
        Ok(Self { api, application: application.clone(), namespace: namespace.clone() })
    }

    fn at(&self, more: &[&str]) -> PortResult<Url> {
        let mut url = self.api.at(&[&["api", "v1", "applications", &self.application], more].concat())?;
        if !self.namespace.is_empty() {
            url.query_pairs_mut().append_pair("appNamespace", &self.namespace);
        }
        Ok(url)
    }
}

impl DeliveryController for ArgoCd {
    /// Refreshes it; and where it does not sync by itself, asks for a sync to the revision. (Where it does, it refuses any revision but its own
    /// branch, and the refresh is all that is needed.)
    async fn request_sync(&self, revision: &str, _at: &str) -> PortResult<()> {
        let mut url = self.at(&[])?;
        url.query_pairs_mut().append_pair("refresh", "normal");
        let application = self.api.get(url, &[]).await?;
        if syncs_itself(&application) {
            return Ok(());
        }
        let body = json!({"name": self.application, "appNamespace": self.namespace, "revision": revision, "prune": false, "dryRun": false});
        self.api.send(Method::POST, self.at(&["sync"])?, &[], &body).await.map(drop)
    }

    async fn delivery(&self) -> PortResult<Delivery> {
        Ok(read(&self.api.get(self.at(&[])?, &[]).await?))
    }
}

/// `automated` without `enabled: false`.
fn syncs_itself(application: &Value) -> bool {
    application.pointer("/spec/syncPolicy/automated").is_some_and(|a| a.is_object() && a.get("enabled") != Some(&Value::Bool(false)))
}

fn read(application: &Value) -> Delivery {
    let field = |pointer: &str| Some(text(application, pointer).to_owned()).filter(|text| !text.is_empty());
    let (sync, health) = (text(application, "/status/sync/status"), text(application, "/status/health/status"));
    let (phase, message) = (text(application, "/status/operationState/phase"), text(application, "/status/operationState/message"));
    let last_synced = field("/status/operationState/syncResult/revision").filter(|_| phase == "Succeeded");
    // `Synced` compares the cluster with `status.sync.revision`, whoever applied it.
    let applied = if sync == "Synced" { field("/status/sync/revision") } else { last_synced };
    let conditions = application.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let broken: Vec<_> = conditions.filter(|c| text(c, "/type").ends_with("Error")).map(|c| text(c, "/message")).collect();
    let resources = application.pointer("/status/resources").and_then(Value::as_array).into_iter().flatten();
    let differing = resources.filter(|r| text(r, "/status") == "OutOfSync");
    let named = |r: &Value| format!("{} {}/{}", text(r, "/kind"), text(r, "/namespace"), text(r, "/name"));
    let heals = application.pointer("/spec/syncPolicy/automated/selfHeal") == Some(&Value::Bool(true));
    let mut why = format!("sync {sync}, health {health}");
    for words in [phase, message].into_iter().chain(broken.iter().copied()).filter(|words| !words.is_empty()) {
        why += &format!(", {words}");
    }
    Delivery {
        applied,
        // Health is the observer's to judge: an application with an incident is not healthy.
        has_failed: matches!(phase, "Failed" | "Error") || !broken.is_empty(),
        why,
        out_of_sync: differing.take(OUT_OF_SYNC_MAX).map(named).collect(),
        heals_itself: heals && syncs_itself(application),
    }
}
