//! Language models: where they are, what they may cost. Keys are never in the file: an environment variable or a file holds them.

use super::validate::Problem;
use super::{ReasonerProvider, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where models are, how long they may take and what they may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Models {
    /// From asking to the last word on an incident, both models together; at most 30s.
    pub deadline: Span,
    /// Tokens that one answer may have, those that the model thinks with included.
    pub max_output_tokens: u32,
    /// Most that one agent's models may cost in any hour, in US dollars.
    pub hour_cap_usd: f64,
    /// Most that one incident's models may cost, in US dollars.
    pub incident_cap_usd: f64,
    /// Price by model; a name that ends in `*` stands for all that begin so. A model that is neither here nor known is taken to be dear.
    pub prices: BTreeMap<String, ModelPrice>,
    /// Where Anthropic's API is.
    pub anthropic: ModelServer,
    /// Where OpenAI's API is, or a server compatible with it.
    pub openai: ModelServer,
}

impl Default for Models {
    fn default() -> Self {
        Self {
            deadline: Span::from_s(30),
            max_output_tokens: 2048,
            hour_cap_usd: 5.0,
            incident_cap_usd: 0.5,
            prices: BTreeMap::new(),
            anthropic: ModelServer::default(),
            openai: ModelServer::default(),
        }
    }
}

const ANTHROPIC: &str = "https://api.anthropic.com/v1";
const OPENAI: &str = "https://api.openai.com/v1";

/// What a million tokens cost, in US dollars. A local model may cost 0.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Tokens that it reads.
    pub input_usd_per_million: f64,
    /// Tokens that it writes.
    pub output_usd_per_million: f64,
}

/// Where a provider's API is and how picket shows who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelServer {
    /// Up to and with the version: `https://HOST/v1`. Empty: the provider's own.
    pub base_url: String,
    /// Environment variable that holds the key; empty for none but at the provider's own address: there `ANTHROPIC_API_KEY` or
    /// `OPENAI_API_KEY`.
    pub api_key_env: String,
    /// File that holds the key, before the variable; empty for none.
    pub api_key_file: String,
    /// PEM file of the server's CA; empty for the system's.
    pub ca_file: String,
}

impl ModelServer {
    /// Its address, without a slash at its end.
    #[must_use]
    pub fn address(&self, provider: ReasonerProvider) -> &str {
        match (self.base_url.trim_end_matches('/'), provider) {
            ("", ReasonerProvider::Anthropic) => ANTHROPIC,
            ("", _) => OPENAI,
            (url, _) => url,
        }
    }

    /// The provider's own address answers nobody without a key; a server elsewhere may.
    #[must_use]
    pub fn needs_key(&self, provider: ReasonerProvider) -> bool {
        matches!(self.address(provider), ANTHROPIC | OPENAI)
    }

    /// The environment variable of its key; empty for none.
    #[must_use]
    pub fn key_variable(&self, provider: ReasonerProvider) -> &str {
        match (self.api_key_env.as_str(), provider) {
            ("", ReasonerProvider::Anthropic) if self.needs_key(provider) => "ANTHROPIC_API_KEY",
            ("", _) if self.needs_key(provider) => "OPENAI_API_KEY",
            (named, _) => named,
        }
    }
}

/// Whose API a model of this name is asked by: Anthropic's are all called Claude.
#[must_use]
pub fn provider_of(model: &str) -> ReasonerProvider {
    if model.starts_with("claude") { ReasonerProvider::Anthropic } else { ReasonerProvider::Openai }
}

/// One incident's diagnosis, two calls included, is over after this long.
const DEADLINE_MAX_MS: i64 = 30_000;
const DEADLINE_MIN_MS: i64 = 1_000;
/// Above this a cap is no cap but a slip of the pen.
const CAP_MAX_USD: f64 = 10_000.0;

impl Models {
    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        let mut must = |holds: bool, key: &str, why: &str| {
            if !holds {
                found.push(Problem::new(&format!("diagnostics.models.{key}"), why));
            }
        };
        let money = |usd: f64| usd.is_finite() && (0.0..=CAP_MAX_USD).contains(&usd);
        must((DEADLINE_MIN_MS..=DEADLINE_MAX_MS).contains(&self.deadline.ms()), "deadline", "must be between 1s and 30s");
        must((256..=32_768).contains(&self.max_output_tokens), "max_output_tokens", "must be between 256 and 32768");
        must(money(self.hour_cap_usd), "hour_cap_usd", "must be between 0 and 10000");
        must(money(self.incident_cap_usd), "incident_cap_usd", "must be between 0 and 10000");
        must(
            self.prices.values().all(|p| money(p.input_usd_per_million) && money(p.output_usd_per_million)),
            "prices",
            "must be between 0 and 10000 US dollars a million tokens",
        );
        for (name, server) in [("anthropic", &self.anthropic), ("openai", &self.openai)] {
            let url = &server.base_url;
            must(
                url.is_empty() || url.starts_with("https://") || url.starts_with("http://"),
                &format!("{name}.base_url"),
                "must begin with https:// (or http:// for a server without a key)",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(models: &Models) -> Vec<String> {
        let mut found = Vec::new();
        models.check(&mut found);
        found.into_iter().map(|p| p.key).collect()
    }

    #[test]
    fn a_deadline_and_caps_have_bounds() {
        assert_eq!(keys(&Models::default()), Vec::<String>::new());
        let bad = Models { deadline: Span::from_s(31), hour_cap_usd: f64::NAN, incident_cap_usd: -1.0, ..Models::default() };
        assert_eq!(keys(&bad), ["deadline", "hour_cap_usd", "incident_cap_usd"].map(|k| format!("diagnostics.models.{k}")));
        let elsewhere = ModelServer { base_url: "ftp://models".into(), ..ModelServer::default() };
        assert_eq!(keys(&Models { openai: elsewhere, ..Models::default() }), ["diagnostics.models.openai.base_url"]);
    }

    #[test]
    fn the_name_tells_whose_model_it_is() {
        assert_eq!(provider_of("claude-3-5-sonnet"), ReasonerProvider::Anthropic);
        assert_eq!(provider_of("gpt-4o"), ReasonerProvider::Openai);
        assert_eq!(provider_of("qwen3:8b"), ReasonerProvider::Openai);
    }

    #[test]
    fn a_server_elsewhere_needs_no_key_unless_it_is_named() {
        let (own, provider) = (ModelServer::default(), ReasonerProvider::Openai);
        assert_eq!((own.address(provider), own.key_variable(provider)), (OPENAI, "OPENAI_API_KEY"));
        assert_eq!(own.key_variable(ReasonerProvider::Anthropic), "ANTHROPIC_API_KEY");
        let local = ModelServer { base_url: "http://127.0.0.1:8080/v1/".into(), ..ModelServer::default() };
        assert_eq!((local.address(provider), local.key_variable(provider)), ("http://127.0.0.1:8080/v1", ""));
        assert!(own.needs_key(provider) && !local.needs_key(provider));
    }
}
