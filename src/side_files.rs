//! The files that the configuration names and only some roles read: what is changed by commits, what runs in clouds, chat and paging. They
//! stand apart because they name secrets that no other role's machine should hold.

use crate::config_file;
use anyhow::bail;
use picket_chatops::secret::Secret;
use picket_chatops::settings::ChatOpsSettings;
use picket_clouds::CloudSettings;
use picket_core::config::{Cluster, Config, GitOps};
use picket_gitops::{GitOpsSettings, Route};
use std::path::Path;

/// Which namespaces of a cluster are changed by commits, and where; `None` when its actuator is told of none.
///
/// # Errors
/// When the file cannot be read, or does not fit the configuration.
pub fn gitops(config: &Config, cluster: &Cluster) -> anyhow::Result<Option<GitOpsSettings>> {
    let fallback = config.safety.remediation.gitops_fallback;
    let file = cluster.gitops_file.as_str();
    if file.is_empty() {
        if fallback != GitOps::None {
            bail!(
                "safety.remediation.gitops_fallback: there is nothing to fall back to: name the repositories of {} in mesh.clusters[].gitops_file \
                 (docs/gitops.md), or write `none`",
                cluster.name
            );
        }
        return Ok(None);
    }
    let settings: GitOpsSettings = config_file::part(Path::new(file))?;
    if let Some(problem) = settings.problems().first() {
        bail!("{file}: {problem}");
    }
    let falls_back = |entry: &&picket_gitops::GitOpsEntry| entry.cluster == cluster.name && entry.route == Route::Fallback;
    if fallback == GitOps::None && settings.entries.iter().any(|entry| falls_back(&entry)) {
        bail!(
            "{file}: `route: fallback` needs safety.remediation.gitops_fallback (`argocd` or `flux`); write `route: git` to always commit"
        );
    }
    let (needed_ms, have_ms) = (settings.write_timeout_ms(), config.timing.write_timeout.ms());
    if i64::try_from(needed_ms).unwrap_or(i64::MAX) > have_ms {
        bail!("{file}: a push may take {needed_ms} ms, and timing.write_timeout is {have_ms} ms: raise that, or lower git_timeout_s");
    }
    Ok(Some(settings))
}

/// Which services of a cluster run on AWS or Azure; `None` when it names no file.
///
/// # Errors
/// When the file cannot be read, or does not fit the configuration.
pub fn clouds(config: &Config, cluster: &Cluster) -> anyhow::Result<Option<CloudSettings>> {
    let file = cluster.clouds_file.as_str();
    if file.is_empty() {
        return Ok(None);
    }
    let settings: CloudSettings = config_file::part(Path::new(file))?;
    if let Err(error) = settings.validate() {
        bail!("{file}: {error}");
    }
    let (needed_ms, have_ms) = (settings.write_timeout_ms, config.timing.write_timeout.ms());
    if i64::try_from(needed_ms).unwrap_or(i64::MAX) > have_ms {
        bail!("{file}: write_timeout_ms is {needed_ms} ms, and timing.write_timeout is {have_ms} ms: raise that, or lower the former");
    }
    Ok(Some(settings))
}

/// The channels of chat and paging; all off when none are named.
///
/// # Errors
/// When the file cannot be read, or a value in it is wrong.
pub fn channels(config: &Config) -> anyhow::Result<ChatOpsSettings> {
    let chatops = &config.orchestration.chatops;
    let file = chatops.channels_file.as_str();
    let mut settings: ChatOpsSettings = if file.is_empty() { ChatOpsSettings::default() } else { config_file::part(Path::new(file))? };
    if !chatops.slack_webhook.is_empty() {
        if !settings.slack.webhook.is_empty() {
            bail!("orchestration.chatops.slack_webhook: {file} names a webhook too; keep one of them");
        }
        settings.slack.webhook = Secret::new(chatops.slack_webhook.as_str());
    }
    if let Some(problem) = settings.problems("chatops").first() {
        bail!("{}: {problem}", if file.is_empty() { "orchestration.chatops" } else { file });
    }
    Ok(settings)
}

/// What is wrong with any of them, for `picket config validate`. A file that is not on this machine belongs to another role's.
#[must_use]
pub fn problems(config: &Config) -> Vec<String> {
    let here = |file: &str| !file.is_empty() && Path::new(file).exists();
    let mut found = Vec::new();
    for cluster in &config.mesh.clusters {
        if here(&cluster.gitops_file) {
            found.extend(gitops(config, cluster).err().map(|error| format!("{error:#}")));
        }
        if here(&cluster.clouds_file) {
            found.extend(clouds(config, cluster).err().map(|error| format!("{error:#}")));
        }
    }
    if here(&config.orchestration.chatops.channels_file) {
        found.extend(channels(config).err().map(|error| format!("{error:#}")));
    }
    found
}
