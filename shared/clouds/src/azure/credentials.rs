//! Bearer tokens of Azure, and fresh ones before they expire.

use crate::clock::Clock;
use crate::http::Http;
use crate::secret::{Secret, read_file};
use crate::settings::{AzureCredentialsFrom, AzureSettings};
use picket_core::ports::{PortError, PortResult};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Tokens are renewed so long before they expire.
const EARLY_S: i64 = 300;
const LIMIT: Duration = Duration::from_secs(5);
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Where the audience of the public cloud's resource manager is asked for.
const METADATA_VERSION: &str = "2018-02-01";

#[derive(Clone, Debug)]
struct Held {
    token: Secret,
    expires_s: i64,
}

/// Hands out tokens that are good for a while.
pub(super) struct Credentials {
    http: Http,
    settings: AzureSettings,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answered {
    access_token: String,
    /// A number from the login endpoint, a text from the metadata service.
    expires_in: Value,
}

impl Credentials {
    pub(super) fn new(http: Http, settings: AzureSettings, clock: Arc<dyn Clock>) -> Self {
        Self { http, settings, clock, held: Mutex::new(None) }
    }

    /// A token; one caller fetches a new one while the others wait.
    pub(super) async fn get(&self) -> PortResult<Secret> {
        let mut held = self.held.lock().await;
        let now = self.clock.now_s();
        if let Some(held) = held.as_ref().filter(|held| held.expires_s - EARLY_S > now) {
            return Ok(held.token.clone());
        }
        match self.fetch(now).await {
            Ok(fresh) => Ok(held.insert(fresh).token.clone()),
            // The old one is good until it expires.
            Err(why) => match held.as_ref().filter(|held| held.expires_s > now) {
                Some(held) => Ok(held.token.clone()),
                None => Err(PortError::Unavailable { what: "Azure credentials".to_owned(), why }),
            },
        }
    }

    /// This one was refused: the next call fetches another.
    pub(super) async fn discard(&self, refused: &Secret) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.token == *refused) {
            *held = None;
        }
    }

    async fn fetch(&self, now: i64) -> Result<Held, String> {
        let (whom, request) = match &self.settings.credentials {
            AzureCredentialsFrom::WorkloadIdentity { tenant, client, token_file } => {
                let assertion = read_file(token_file).await?;
                (
                    "the login endpoint",
                    self.login(tenant, client, &[("client_assertion_type", ASSERTION), ("client_assertion", &assertion)])?,
                )
            }
            AzureCredentialsFrom::ClientSecret { tenant, client, secret_file } => {
                let secret = read_file(secret_file).await?;
                ("the login endpoint", self.login(tenant, client, &[("client_secret", &secret)])?)
            }
            AzureCredentialsFrom::ManagedIdentity { client } => {
                let url = format!("{}/metadata/identity/oauth2/token", self.settings.endpoints.instance_metadata);
                let audience = format!("{}/", self.settings.endpoints.management);
                let mut query = vec![("api-version", METADATA_VERSION), ("resource", audience.as_str())];
                query.extend(client.as_deref().map(|client| ("client_id", client)));
                ("the machine's metadata service", self.http.request(Method::GET, &url).query(&query).header("metadata", "true"))
            }
        };
        let answer = self.http.send(request, LIMIT).await.map_err(|e| format!("{whom}: {e:?}"))?;
        if answer.status != 200 {
            return Err(format!("{whom} answered HTTP {}", answer.status));
        }
        // serde's words would quote what it stumbled over.
        let read: Answered = serde_json::from_slice(&answer.body).map_err(|e| format!("{whom}: no token (line {})", e.line()))?;
        let life_s =
            read.expires_in.as_i64().or_else(|| read.expires_in.as_str()?.parse().ok()).ok_or_else(|| format!("{whom}: no lifetime"))?;
        Ok(Held { token: Secret::new(read.access_token), expires_s: now.saturating_add(life_s) })
    }

    fn login(&self, tenant: &str, client: &str, proof: &[(&str, &str)]) -> Result<reqwest::RequestBuilder, String> {
        let mut url = reqwest::Url::parse(&self.settings.endpoints.login).map_err(|e| e.to_string())?;
        url.path_segments_mut().map_err(|()| "the login endpoint is no base")?.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]);
        let scope = format!("{}/.default", self.settings.endpoints.management);
        let mut form = reqwest::Url::parse("http://form/").map_err(|e| e.to_string())?;
        form.query_pairs_mut()
            .extend_pairs([("client_id", client), ("scope", &scope), ("grant_type", "client_credentials")])
            .extend_pairs(proof);
        let body = form.query().unwrap_or_default().to_owned();
        Ok(self.http.request(Method::POST, url.as_str()).header("content-type", "application/x-www-form-urlencoded").body(body))
    }
}
