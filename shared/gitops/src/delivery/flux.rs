//! Flux's objects in the Kubernetes API (fluxcd.io: Kustomization v1, GitRepository v1).

use super::{Delivery, DeliveryController};
use crate::http::{Api, Credential, text};
use crate::settings::ControllerSettings;
use picket_core::ports::{PortError, PortResult};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::time::Duration;

const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const SOURCE: &str = "source.toolkit.fluxcd.io";
const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
const MERGE: [(&str, &str); 1] = [("content-type", "application/merge-patch+json")];

/// One Kustomization.
#[derive(Clone, Debug)]
pub struct Flux {
    api: Api,
    name: String,
    namespace: String,
}

impl Flux {
    /// From checked settings.
    ///
    /// # Errors
    /// In words, when its CA or address cannot be used.
    pub fn new(settings: &ControllerSettings, timeout: Duration) -> Result<Self, String> {
        let ControllerSettings { url, token_file, ca_file, application, namespace, .. } = settings;
        let api = Api::new("Flux", url, token_file, ca_file, Credential::Bearer, timeout)?;
        Ok(Self { api, name: application.clone(), namespace: namespace.clone() })
    }

    /// Stops it from applying anything, or lets it go on. For people: no act of picket's calls it.
    ///
    /// # Errors
    /// As any call.
    pub async fn suspend(&self, suspended: bool) -> PortResult<()> {
        self.patch(self.kustomization()?, &json!({"spec": {"suspend": suspended}})).await
    }

    fn kustomization(&self) -> PortResult<Url> {
        self.object(KUSTOMIZE, "kustomizations", &self.namespace, &self.name)
    }

    fn object(&self, group: &str, plural: &str, namespace: &str, name: &str) -> PortResult<Url> {
        self.api.at(&["apis", group, "v1", "namespaces", namespace, plural, name])
    }

    async fn patch(&self, url: Url, patch: &Value) -> PortResult<()> {
        self.api.send(Method::PATCH, url, &MERGE, patch).await.map(drop)
    }
}

impl DeliveryController for Flux {
    /// Asks the source to fetch, then the Kustomization to apply.
    async fn request_sync(&self, _revision: &str, at: &str) -> PortResult<()> {
        let request = json!({"metadata": {"annotations": {REQUESTED_AT: at}}});
        let kustomization = self.api.get(self.kustomization()?, &[]).await?;
        let (kind, name) = (text(&kustomization, "/spec/sourceRef/kind"), text(&kustomization, "/spec/sourceRef/name"));
        let namespace = Some(text(&kustomization, "/spec/sourceRef/namespace")).filter(|n| !n.is_empty()).unwrap_or(&self.namespace);
        if kind == "GitRepository" && crate::settings::is_label(name) && crate::settings::is_label(namespace) {
            let source = self.object(SOURCE, "gitrepositories", namespace, name)?;
            match self.patch(source, &request).await {
                // Without the right to its source the Kustomization can still be asked.
                Ok(()) | Err(PortError::Refused { .. } | PortError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.patch(self.kustomization()?, &request).await
    }

    async fn delivery(&self) -> PortResult<Delivery> {
        Ok(read(&self.api.get(self.kustomization()?, &[]).await?))
    }
}

/// `main@sha1:<commit>`; older releases wrote `main/<commit>`.
fn commit_of(revision: &str) -> Option<String> {
    let id = revision.rsplit([':', '/']).next()?;
    crate::git::is_object_id(id).then(|| id.to_owned())
}

fn read(kustomization: &Value) -> Delivery {
    let suspended = kustomization.pointer("/spec/suspend") == Some(&Value::Bool(true));
    let conditions = kustomization.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let ready = conditions.into_iter().find(|c| text(c, "/type") == "Ready");
    let status = ready.map_or("Unknown", |c| text(c, "/status"));
    let words = ready.map(|c| format!("{}: {}", text(c, "/reason"), text(c, "/message"))).unwrap_or_default();
    Delivery {
        applied: commit_of(text(kustomization, "/status/lastAppliedRevision")),
        has_failed: status == "False" || suspended,
        why: if suspended { "it is suspended".to_owned() } else { words },
        out_of_sync: Vec::new(),
        // Every reconciliation writes what the branch says.
        heals_itself: !suspended,
    }
}
