//! Where a forge is configured: the change is shown to people and checked before it is merged (PROTOCOL.md, "GitOps").

use crate::forge::{Checks, Forge, Standing, Wanted};
use crate::git::{Lease, NewCommit};
use crate::place::{Place, REQUESTS};
use crate::plan::{self, Reading, Requested};
use crate::reading::refused;
use crate::trailer::sentence;
use picket_core::action::Remediation;
use picket_core::ports::{PortError, PortResult};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use serde_json::Value;

/// Digits of the work's digest in the branch's name.
const DIGITS: usize = 16;

/// The branch of a work's request, without what all of them begin with.
fn name_of(work: &Work) -> String {
    work.digest().0.chars().take(DIGITS).collect()
}

/// Opens the work's request once, and gives it when its checks are green.
///
/// # Errors
/// `Unavailable` while they are not, `Refused` when one is red or somebody closed the request.
pub(crate) async fn green(
    place: &Place,
    forge: &Forge,
    work: &Work,
    head: &str,
    reading: &Reading,
    now: Timestamp,
) -> PortResult<Requested> {
    let name = name_of(work);
    let branch = format!("{REQUESTS}{name}");
    let at = plan::target(work.action());
    let requested = match standing(place, work, head, reading, &name).await? {
        Some(requested) => requested,
        None => open(place, work, head, reading, &name, now).await?,
    };
    let title = format!("picket: {}", sentence(work));
    let body = body_of(work);
    let wanted = Wanted { branch: &branch, commit: &requested.commit, base: &place.entry.branch, title: &title, body: &body };
    let request = forge.request(&wanted).await?;
    match forge.checks(&requested.commit).await? {
        Checks::Green => Ok(requested),
        Checks::Red(which) => Err(refused(&at, &format!("checks of {} are red: {which}", request.url))),
        Checks::Pending(which) => Err(PortError::Unavailable {
            what: format!("the merge of {}", request.url),
            why: format!("its checks are not green yet: {which}"),
        }),
    }
}

fn body_of(work: &Work) -> String {
    let evidence = "Why it is proposed, and who must agree, stands in picket's ledger under the work's digest; the merge names the entry.";
    let how = "picket merges it itself when its checks are green and the ledger permits it. Closing it says no to exactly this change.";
    format!("{}.\n\n{evidence}\n\n{how}\n\nWork: `{}`\n", sentence(work), work.digest())
}

/// The request branch that is there, when it is exactly this work on an ancestor of the branch.
async fn standing(place: &Place, work: &Work, head: &str, reading: &Reading, name: &str) -> PortResult<Option<Requested>> {
    let mirror = &place.mirror;
    let Some(commit) = mirror.request(name).await? else { return Ok(None) };
    // Merged already: this is another time.
    if mirror.is_ancestor(&commit, head).await? {
        return Ok(None);
    }
    let made = mirror.commit_of(&commit, place.allowed_signers()).await?;
    let [parent] = made.parents.as_slice() else { return Ok(None) };
    if !place.is_ours(&made) || !mirror.is_ancestor(parent, head).await? {
        return Ok(None);
    }
    let requested = Requested { restarted_at: restarted_at(place, work, reading, &commit).await?, commit };
    let with = Reading { request: Some(requested.clone()), ..reading.clone() };
    let Ok(planned) = plan::plan(work, &with, Timestamp(0)) else { return Ok(None) };
    Ok((mirror.tree(parent, &planned.changes).await? == made.tree).then_some(requested))
}

/// The time of a restart that stands in a request.
async fn restarted_at(place: &Place, work: &Work, reading: &Reading, commit: &str) -> PortResult<Option<String>> {
    if !matches!(work.action().remediation, Remediation::RolloutRestart) {
        return Ok(None);
    }
    let at = plan::target(work.action());
    let file = place.mirror.file(commit, &reading.path).await?;
    let manifest = file.and_then(|file| crate::manifest::only(&file.text, plan::wanted(&at)).ok());
    let time = manifest.and_then(|m| m.object.pointer(&plan::restarted_at()).and_then(Value::as_str).map(ToOwned::to_owned));
    Ok(time.filter(|time| time.parse::<jiff::Timestamp>().is_ok()))
}

/// Makes the request's branch anew, on the head that was read.
async fn open(place: &Place, work: &Work, head: &str, reading: &Reading, name: &str, now: Timestamp) -> PortResult<Requested> {
    let (mirror, at) = (&place.mirror, plan::target(work.action()));
    let planned = plan::plan(work, reading, now).map_err(|why| refused(&at, &why))?;
    let message = format!("picket: {}\n", sentence(work));
    let new = NewCommit { base: head, merged: None, changes: &planned.changes, message: &message, at: now };
    let commit = mirror.make(&new, &place.author).await?;
    let old = mirror.request(name).await?;
    let lease = old.as_deref().map_or(Lease::Absent, Lease::At);
    match mirror.push(&format!("refs/heads/{REQUESTS}{name}"), Some(&commit), lease).await {
        Ok(()) => {}
        Err(PortError::Conflict { what } | PortError::Timeout { what }) => {
            return Err(PortError::Unavailable {
                what,
                why: "the request's branch has moved; it is read again at the next try".to_owned(),
            });
        }
        Err(error) => return Err(error),
    }
    let restarted_at = planned.after.get(&plan::restarted_at()).and_then(Value::as_str).map(ToOwned::to_owned);
    let is_restart = matches!(work.action().remediation, Remediation::RolloutRestart);
    Ok(Requested { commit, restarted_at: restarted_at.filter(|_| is_restart) })
}

/// Closes the work's request, if one is open, and removes its branch.
pub(crate) async fn abandon(place: &Place, forge: &Forge, work: &Work) -> PortResult<()> {
    let name = name_of(work);
    place.head().await?;
    let Some(commit) = place.mirror.request(&name).await? else { return Ok(()) };
    if let Standing::Open(request) = forge.standing(&format!("{REQUESTS}{name}"), &place.entry.branch, &commit).await? {
        forge.close(&request).await?;
    }
    place.mirror.push(&format!("refs/heads/{REQUESTS}{name}"), None, Lease::At(&commit)).await
}
