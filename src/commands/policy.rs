//! `picket policy …`: limits, approvals, caps, freezes and the user's own rules, changed while the coordinator runs.

use super::phase::agent_of;
use super::rules;
use crate::wiring::Wiring;
use anyhow::{Context as _, bail};
use picket_core::action::RemediationKind;
use picket_core::config::Span;
use picket_core::coordination::Command;
use picket_core::freeze::{Freeze, FreezeTime};
use picket_core::ids::AgentKind;
use picket_core::policy::Policy;
use picket_core::ports::Coordinator as _;
use picket_rules::RuleSet;
use picket_state_machine::Settings;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Hard limits, severities that need a person, caps on phases, and times in which nothing is changed.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum PolicyCommand {
    /// The policy in force, in the form of the file that `set` takes.
    Show {
        /// Machine output, which this is anyway.
        #[arg(long)]
        json: bool,
    },
    /// Whether a file is a policy that could be set; asks nobody.
    Check {
        /// YAML or JSON.
        file: PathBuf,
        /// Machine output: the policy as it was understood.
        #[arg(long)]
        json: bool,
    },
    /// Puts a file in force at once, also for what was permitted before and is not claimed yet. Start from what `show` prints and leave
    /// its `version` as it is: when somebody else has changed the policy meanwhile, nothing is overwritten.
    Set {
        /// YAML or JSON.
        file: PathBuf,
        /// Machine output: the policy in force afterwards.
        #[arg(long)]
        json: bool,
    },
    /// From now on nothing is changed, for a while. Undos go on; repeated freezes are written into the policy (`show`, `set`).
    Freeze {
        /// How long: `90m`, `4h`, `2d`.
        #[arg(long = "for", value_name = "TIME")]
        lasts: Span,
        /// Only in this cluster.
        #[arg(long)]
        cluster: Option<String>,
        /// Only in this namespace.
        #[arg(long)]
        namespace: Option<String>,
        /// A kind of act that goes on all the same (`quarantine`); may be repeated.
        #[arg(long, value_name = "KIND", value_parser = kind)]
        except: Vec<RemediationKind>,
        /// Told to whoever is refused.
        #[arg(long)]
        why: String,
        /// Machine output: the policy in force afterwards.
        #[arg(long)]
        json: bool,
    },
    /// The user's own rules of one agent, in Cedar: those in force, or a file put in force. They can only take away.
    Rules {
        /// `sre`, `finops` or `secops`.
        #[arg(value_parser = agent_of)]
        agent: AgentKind,
        /// Puts this file in force.
        #[arg(conflicts_with_all = ["none", "shipped"])]
        file: Option<PathBuf>,
        /// Takes the agent's rules out of force: the limits alone bind it.
        #[arg(long, conflicts_with = "shipped")]
        none: bool,
        /// Prints the rules that ship, to start from.
        #[arg(long)]
        shipped: bool,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Which rule decides on an act.
    Explain {
        /// A question or an entry of the ledger as JSON, in a file; or an entry's id.
        action: String,
        /// Asks the rules of a file instead of those in force: `sre=FILE`; may be repeated.
        #[arg(long, value_name = "AGENT=FILE", value_parser = agent_file)]
        rules: Vec<(AgentKind, PathBuf)>,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// What rules would have said of everything that was proposed since then, beside what came of it.
    Replay {
        /// How far back: `7d`.
        #[arg(long, value_name = "TIME")]
        since: Span,
        /// Asks the rules of a file instead of those in force: `sre=FILE`; may be repeated.
        #[arg(long, value_name = "AGENT=FILE", value_parser = agent_file)]
        rules: Vec<(AgentKind, PathBuf)>,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Ends every freeze that was given by `freeze`, those of the past among them.
    Thaw {
        /// Machine output: the policy in force afterwards.
        #[arg(long)]
        json: bool,
    },
}

fn agent_file(text: &str) -> anyhow::Result<(AgentKind, PathBuf)> {
    let (name, file) = text.split_once('=').context("expected AGENT=FILE, such as sre=sre.cedar")?;
    Ok((agent_of(name)?, file.into()))
}

fn kind(text: &str) -> Result<RemediationKind, String> {
    let known = || RemediationKind::ALL.map(RemediationKind::as_str).join(", ");
    RemediationKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| format!("no kind of act; there are {}", known()))
}

/// Runs it.
///
/// # Errors
/// When the file is no policy, or the coordinator is away or refuses.
pub async fn run(wiring: impl FnOnce() -> anyhow::Result<Wiring>, command: &PolicyCommand) -> anyhow::Result<()> {
    match command {
        PolicyCommand::Show { .. } => super::print_json(&super::as_person(&wiring()?)?.policy().await?),
        PolicyCommand::Check { file, json } if rules::are_meant(file) => rules::check(file, *json),
        PolicyCommand::Rules { agent, shipped: true, .. } => {
            print!("{}", picket_rules::shipped(*agent));
            Ok(())
        }
        PolicyCommand::Rules { agent, file, none, json, .. } if *none || file.is_some() => {
            let wiring = wiring()?;
            let policy = rules::with(super::as_person(&wiring)?.policy().await?, *agent, file.as_deref())?;
            let version = put(&wiring, policy, *json).await?;
            if !json {
                println!("policy version {version} is in force; what {agent} had been permitted under other rules is cancelled");
            }
            Ok(())
        }
        PolicyCommand::Rules { agent, json, .. } => {
            let in_force = super::as_person(&wiring()?)?.policy().await?.rules.remove(agent);
            match in_force {
                rules if *json => super::print_json(&serde_json::json!({ "agent": agent, "rules": rules })),
                Some(rules) => {
                    print!("{rules}");
                    Ok(())
                }
                None => {
                    println!("no rules are in force for {agent}: the limits alone bind it (`--shipped` prints some to start from)");
                    Ok(())
                }
            }
        }
        PolicyCommand::Explain { action, rules, json } => rules::explain(&wiring()?, action, rules, *json).await,
        PolicyCommand::Replay { since, rules, json } => rules::replay(&wiring()?, since.ms(), rules, *json).await,
        PolicyCommand::Check { file, json } => {
            let policy = read(file)?;
            if *json {
                return super::print_json(&policy);
            }
            println!("{}: a policy with {} caps, made from version {}", file.display(), policy.caps.len(), policy.version);
            Ok(())
        }
        PolicyCommand::Set { file, json } => {
            let version = put(&wiring()?, read(file)?, *json).await?;
            if !json {
                println!("policy version {version} is in force");
            }
            Ok(())
        }
        PolicyCommand::Freeze { lasts, cluster, namespace, except, why, json } => {
            let wiring = wiring()?;
            let person = super::as_person(&wiring)?;
            let now = person.status().await?.now;
            let mut policy = person.policy().await?;
            let when = FreezeTime::Between { from: now, until: now.plus_ms(lasts.ms()) };
            let (cluster, namespace) = (cluster.as_deref().map(Into::into), namespace.clone());
            policy.freezes.retain(|freeze| !matches!(freeze.when, FreezeTime::Between { until, .. } if until <= now));
            policy.freezes.push(Freeze { cluster, namespace, when, except: except.clone(), why: why.clone() });
            put(&wiring, policy, *json).await?;
            if !json {
                println!("nothing is changed for {lasts}; `picket policy thaw` ends it sooner");
            }
            Ok(())
        }
        PolicyCommand::Thaw { json } => {
            let wiring = wiring()?;
            let mut policy = super::as_person(&wiring)?.policy().await?;
            let before = policy.freezes.len();
            policy.freezes.retain(|freeze| !matches!(freeze.when, FreezeTime::Between { .. }));
            let ended = before - policy.freezes.len();
            put(&wiring, policy, *json).await?;
            if !json {
                println!("ended: {ended}");
            }
            Ok(())
        }
    }
}

/// Puts a policy in force in place of the one of its version, and prints it as JSON when asked.
async fn put(wiring: &Wiring, seen: Policy, json: bool) -> anyhow::Result<u64> {
    let policy = Policy { version: seen.version + 1, ..seen };
    let version = policy.version;
    super::submit(wiring, Command::SetPolicy { policy: Box::new(policy) })
        .await
        .context("the policy was not set (`picket policy show` prints the one in force)")?;
    if json {
        super::print_json(&super::as_person(wiring)?.policy().await?)?;
    }
    Ok(version)
}

/// Reads a policy, and refuses what would be ignored or could never be in force.
fn read(path: &Path) -> anyhow::Result<Policy> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{name}: cannot be read"))?;
    let value: Value = serde_saphyr::from_str(&text).with_context(|| format!("{name}: neither YAML nor JSON"))?;
    let policy: Policy =
        serde_json::from_value(value.clone()).with_context(|| format!("{name}: not a policy (`picket policy show` prints one)"))?;
    if let Some(key) = unknown_key(&value, &serde_json::to_value(&policy)?) {
        bail!("{name}: `{key}` is no key of a policy; remove it or correct its name");
    }
    for (agent, text) in &policy.rules {
        RuleSet::read(text, policy.version).with_context(|| format!("{name}: the rules of {agent}"))?;
    }
    let Policy { limits, approval_severities, two_person_severities, caps, freezes, rules, .. } = policy.clone();
    Settings { limits, approval_severities, two_person_severities, caps, freezes, rules, ..Settings::default() }
        .validate()
        .with_context(|| name.to_string())?;
    Ok(policy)
}

/// The first key that was given and not understood: a misspelt one must not be ignored, since a cap without it says something else.
fn unknown_key(given: &Value, understood: &Value) -> Option<String> {
    let within = |key: String, rest: Option<String>| rest.map(|rest| format!("{key}.{rest}"));
    match (given, understood) {
        (Value::Object(given), Value::Object(understood)) => given.iter().find_map(|(key, value)| match understood.get(key) {
            None => Some(key.clone()),
            Some(known) => within(key.clone(), unknown_key(value, known)),
        }),
        (Value::Array(given), Value::Array(understood)) => {
            given.iter().zip(understood).enumerate().find_map(|(i, (value, known))| within(i.to_string(), unknown_key(value, known)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::limits::LimitRules;

    fn written(text: &str) -> anyhow::Result<Policy> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, text).unwrap();
        read(&file)
    }

    fn policy() -> Value {
        let policy = Policy {
            version: 3,
            limits: LimitRules::default(),
            approval_severities: vec![1, 2],
            two_person_severities: vec![],
            caps: vec![],
            freezes: vec![],
            rules: std::collections::BTreeMap::new(),
        };
        serde_json::to_value(policy).unwrap()
    }

    #[test]
    fn what_show_prints_is_what_set_takes() {
        let mut value = policy();
        value["caps"] = serde_json::json!([{ "namespace": "pay", "at_most": "observe" }]);
        let policy = written(&value.to_string()).unwrap();
        assert_eq!((policy.version, policy.caps.len()), (3, 1));
        assert_eq!(policy.caps[0].namespace.as_deref(), Some("pay"));
    }

    #[test]
    fn a_key_that_would_be_ignored_is_an_error_that_names_it() {
        for (pointer, key) in [("/caps/0", "caps.0.namespaces"), ("", "namespaces"), ("/limits", "limits.namespaces")] {
            let mut value = policy();
            value["caps"] = serde_json::json!([{ "at_most": "observe" }]);
            value.pointer_mut(pointer).unwrap()["namespaces"] = "pay".into();
            let error = written(&value.to_string()).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn what_could_never_be_in_force_is_refused() {
        let mut value = policy();
        value["limits"]["max_fleet_restart_ratio"] = 0.9.into();
        assert!(format!("{:#}", written(&value.to_string()).unwrap_err()).contains("max_fleet_restart_ratio"));
        assert!(written("version: [").is_err() && written("version: 1").is_err());
    }
}
