//! Sizes and numbers are checked before anything is believed or kept.

use crate::{bounds, restore};
use picket_core::coordination::Command;
use picket_core::facts::{ClusterFacts, PODS_MAX};
use picket_core::ids::RequestId;
use picket_core::limits::{LimitRule, Violation};
use picket_core::membership::MemberChange;
use picket_core::outcome::{Receipt, Report};
use picket_core::proposal::{Proposal, Work};
use serde::Serialize;

const ID_BYTES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 4096;
const SYMPTOMS_MAX: usize = 64;
const RECEIPT_BYTES_MAX: usize = 256 * 1024;
const SERVICES_MAX: usize = 10_000;
/// Names listed in one reading, all services together (dependants, namespaces).
const NAMES_MAX: usize = 200_000;
const POLICY_BYTES_MAX: usize = 64 * 1024;
const FORGET_MAX: usize = 1024;

fn bad(why: String) -> Violation {
    Violation::new(LimitRule::Malformed, None, why)
}

fn short(what: &str, text: &str, max: usize) -> Result<(), Violation> {
    if text.len() <= max { Ok(()) } else { Err(bad(format!("{what} has {} bytes, {max} are allowed", text.len()))) }
}

fn id(what: &str, text: &str) -> Result<(), Violation> {
    if text.is_empty() {
        return Err(bad(format!("{what} is empty")));
    }
    short(what, text, ID_BYTES_MAX)
}

pub(crate) fn check_request(request: &RequestId) -> Result<(), String> {
    id("the request id", request.as_str()).map_err(|v| v.reason)
}

/// What no code below this line needs to doubt any more.
pub(crate) fn check_command(command: &Command) -> Result<(), Violation> {
    match command {
        Command::Propose { proposal } | Command::ProposeRuled { proposal, .. } => check_proposal(proposal),
        Command::PostFacts { facts } => check_facts(facts),
        Command::Claim { claim } => {
            id("before_digest", claim.before_digest.0.as_str())?;
            id("audit_hash", claim.audit_hash.0.as_str())
        }
        Command::Report { report, .. } => check_report(report),
        Command::Grade { outcome, .. } => short("the grade's reason", outcome.why(), TEXT_BYTES_MAX),
        Command::ForeignEvidence { evidence, .. } => {
            short("what was done", &evidence.what, TEXT_BYTES_MAX)?;
            short("who did it", &evidence.by, ID_BYTES_MAX)
        }
        Command::Deny { why, .. }
        | Command::SetPhase { why, .. }
        | Command::RestartEvidence { why, .. }
        | Command::WaiveJournal { why, .. }
        | Command::RetireCluster { why, .. }
        | Command::ResetBreaker { why, .. } => short("the reason", why, TEXT_BYTES_MAX),
        Command::ReportViolation { detail, .. } => short("the detail", detail, TEXT_BYTES_MAX),
        Command::Adjudicate { adjudication } => {
            if adjudication.stated.is_some_and(|stated| !(0.0..=1.0).contains(&stated)) {
                return Err(bad("the probability that was stated is not between 0 and 1".to_owned()));
            }
            id("the episode", &adjudication.episode)
        }
        Command::SetPolicy { policy } if size_of_json(policy) > POLICY_BYTES_MAX => Err(bad("the policy is too long".to_owned())),
        Command::ForgetAnswers { requests } if requests.len() > FORGET_MAX => {
            Err(bounds::full("answers to forget", requests.len(), FORGET_MAX, "requests in one command"))
        }
        Command::UploadJournal { acts, .. } => {
            restore::check_page(acts)?;
            acts.iter().try_for_each(|act| {
                id("the entry id", act.claim.entry.as_str())?;
                id("before_digest", act.claim.before_digest.0.as_str())?;
                id("audit_hash", act.claim.audit_hash.0.as_str())?;
                check_proposal(&act.proposal)?;
                if let Work::Undo { receipt: r, .. } = &act.work {
                    receipt(r)?;
                }
                if act.work.digest() != act.claim.digest || act.cost_pods > PODS_MAX {
                    return Err(bad(format!("{} is not the act that its claim names, or costs too much", act.claim.entry)));
                }
                act.report.as_ref().map_or(Ok(()), check_report)
            })
        }
        Command::ChangeMembers { change: MemberChange::Add { address, .. } } => id("the address", address),
        Command::AcquireLease { scopes, .. } | Command::QueueLease { scopes, .. } => {
            for scope in scopes {
                short("a scope", &scope.to_string(), ID_BYTES_MAX)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_proposal(proposal: &Proposal) -> Result<(), Violation> {
    id("the proposal id", proposal.id.as_str())?;
    id("the incident id", proposal.incident.as_str())?;
    short("the sentence", &proposal.sentence, TEXT_BYTES_MAX)?;
    let service = &proposal.action.service;
    for (what, text) in [("the cluster", service.cluster.as_str()), ("the namespace", &service.namespace), ("the service", &service.name)] {
        id(what, text)?;
        if text.contains('/') {
            return Err(bad(format!("{what} `{text}` contains a slash")));
        }
    }
    if proposal.symptoms.len() > SYMPTOMS_MAX {
        return Err(bad(format!("{} symptoms, {SYMPTOMS_MAX} are allowed", proposal.symptoms.len())));
    }
    if size_of_json(&proposal.action) > TEXT_BYTES_MAX {
        return Err(bad("the action's parameters are too long".to_owned()));
    }
    // Not-a-number would pass every comparison that asks for what is wrong, and does not survive JSON.
    let finite = proposal.confidence.is_finite() && proposal.monthly_saving_usd.is_none_or(f64::is_finite);
    if finite { Ok(()) } else { Err(bad("confidence or saving is not a number".to_owned())) }
}

fn check_facts(facts: &ClusterFacts) -> Result<(), Violation> {
    if facts.services.len() > SERVICES_MAX {
        return Err(bad(format!("{} services, {SERVICES_MAX} are allowed", facts.services.len())));
    }
    let mut names = 0;
    let mut pods = 0u32;
    for (service, known) in &facts.services {
        if service.cluster != facts.cluster {
            return Err(bad(format!("{service} is not of cluster {}", facts.cluster)));
        }
        if !known.error_budget_burn.is_finite() {
            return Err(bad(format!("the error budget burn of {service} is not a number")));
        }
        names += known.dependants.len() + known.namespaces_touched.len();
        for count in [known.ready, known.total, known.desired, known.disrupted_by_others] {
            if count > PODS_MAX {
                return Err(bad(format!("{service} has {count} pods, {PODS_MAX} are allowed")));
            }
            // Sums over services are plain u32 additions elsewhere.
            pods = pods.saturating_add(count);
        }
    }
    if names > NAMES_MAX || pods == u32::MAX {
        return Err(bad(format!("the facts of {} are too large", facts.cluster)));
    }
    Ok(())
}

fn check_report(report: &Report) -> Result<(), Violation> {
    match report {
        Report::Applied { receipt: r } => receipt(r),
        Report::NoEffect { why } => short("the reason", why, TEXT_BYTES_MAX),
        Report::CannotTell { why, landed, .. } => {
            short("the reason", why, TEXT_BYTES_MAX).and_then(|()| landed.as_ref().map_or(Ok(()), receipt))
        }
    }
}

fn receipt(r: &Receipt) -> Result<(), Violation> {
    if size_of_json(r) > RECEIPT_BYTES_MAX { Err(bad(format!("the receipt is larger than {RECEIPT_BYTES_MAX} bytes"))) } else { Ok(()) }
}

fn size_of_json<T: Serialize>(value: &T) -> usize {
    // What does not serialise is refused as too long.
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}
