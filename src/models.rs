//! The models that the configuration asks for beside the built-in reasoner.

use anyhow::Context as _;
use picket_adapters::candle::{TokenCounter, model};
use picket_adapters::model::{ApiKey, HttpModel, ModelSettings};
use picket_core::config::{Compression, Config, ReasonerProvider, provider_of};
use picket_diagnosis::compress::{self, Compressor};
use picket_diagnosis::model::{Caps, Panel, Price, price_of};
use std::sync::Arc;
use std::time::Duration;

/// An agent's panel: the configured model and the one that gives a second opinion. A model whose provider wants a key that is not there is left
/// out with a note; `variable` reads the environment. `look_ms` is the agent's interval in real time: an answer joins the next look, and
/// that, too, is within the deadline.
///
/// # Errors
/// When a key's or CA's file cannot be read, or an address cannot be used.
pub fn panel(config: &Config, look_ms: u64, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Panel<HttpModel>> {
    let settings = &config.diagnostics.models;
    let configured = || {
        settings.prices.iter().map(|(name, p)| (name.as_str(), Price { input: p.input_usd_per_million, output: p.output_usd_per_million }))
    };
    let deadline_ms = u64::try_from(settings.deadline.ms()).unwrap_or_default();
    let deadline = Duration::from_millis(deadline_ms.saturating_sub(look_ms).max(deadline_ms / 2));
    let mut models = Vec::new();
    for (key, provider, model) in asked_for(config) {
        let server = if provider == ReasonerProvider::Anthropic { &settings.anthropic } else { &settings.openai };
        let api_key = ApiKey::read(server, provider, &variable)?;
        if api_key.is_none() && server.needs_key(provider) {
            let variable = server.key_variable(provider);
            tracing::warn!(model, "{key}: {variable} is not set, so this model is not asked; the built-in reasoner answers without it");
            continue;
        }
        let ca_pem = match server.ca_file.as_str() {
            "" => None,
            path => Some(std::fs::read(path).with_context(|| format!("{path}: cannot be read; it is named in diagnostics.models"))?),
        };
        let client = HttpModel::new(ModelSettings {
            provider,
            address: server.address(provider).to_owned(),
            model: model.to_owned(),
            key: api_key,
            ca_pem,
            own: server.needs_key(provider),
            deadline,
            draw: rand::random::<f64>,
        })?;
        models.push((client, price_of(model, configured())));
    }
    let micro = |usd: f64| (usd * 1e6) as u64;
    let caps = Caps { hour_micro_usd: micro(settings.hour_cap_usd), incident_micro_usd: micro(settings.incident_cap_usd) };
    // An agent has more to do than to wait for a model: it looks again.
    Ok(Panel { models, output_tokens_max: settings.max_output_tokens, caps, wait_ms: 0, compressor: None })
}

/// What shortens the passages that models are shown, as configured; counted by the embedding model's tokenizer.
///
/// # Errors
/// When that is missing or damaged.
pub fn compressor(config: &Config) -> anyhow::Result<Option<Compressor>> {
    let rag = &config.diagnostics.rag;
    if rag.context_compression == Compression::None {
        return Ok(None);
    }
    if let Some(note) = compress::note(rag.context_compression) {
        tracing::warn!("{note}");
    }
    let counter = TokenCounter::load(&model::locate()?)?;
    Ok(Some(Compressor { target_tokens: rag.target_tokens as usize, count: Arc::new(move |text| counter.count(text)) }))
}

/// The key that asks for it, whose API, which model.
fn asked_for(config: &Config) -> Vec<(&'static str, ReasonerProvider, &str)> {
    let diagnostics = &config.diagnostics;
    let mut found = Vec::new();
    if diagnostics.llm_provider != ReasonerProvider::Evidence {
        found.push(("diagnostics.model", diagnostics.llm_provider, diagnostics.model.as_str()));
    }
    let second = diagnostics.validation.second_opinion_model.as_str();
    if !second.is_empty() {
        let provider = diagnostics.validation.second_opinion_provider.unwrap_or_else(|| provider_of(second));
        found.push(("diagnostics.validation.second_opinion_model", provider, second));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::ports::ModelClient as _;

    fn reference() -> Config {
        serde_saphyr::from_str(include_str!("../tests/fixtures/sre-agent-config.yaml")).unwrap()
    }

    fn names(panel: &Panel<HttpModel>) -> Vec<&str> {
        panel.models.iter().map(|(model, _)| model.model()).collect()
    }

    #[test]
    fn the_reference_asks_two_providers_and_without_keys_the_built_in_reasoner_alone() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let config = reference();
        assert!(names(&panel(&config, 5000, |_| None).unwrap()).is_empty());
        let one = panel(&config, 5000, |name| (name == "OPENAI_API_KEY").then(|| "k".to_owned())).unwrap();
        assert_eq!(names(&one), ["gpt-4o"]);
        let both = panel(&config, 5000, |_| Some("k".to_owned())).unwrap();
        assert_eq!(names(&both), ["claude-3-5-sonnet", "gpt-4o"]);
        assert_eq!((both.wait_ms, both.models[1].1), (0, Price { input: 2.5, output: 10.0 }));
        assert!(names(&panel(&Config::default(), 5000, |_| Some("k".to_owned())).unwrap()).is_empty(), "the default costs nothing");
    }

    #[test]
    fn a_local_server_needs_no_key() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut config = reference();
        config.diagnostics.models.openai.base_url = "http://127.0.0.1:8080/v1".to_owned();
        assert_eq!(names(&panel(&config, 5000, |_| None).unwrap()), ["gpt-4o"]);
    }
}
