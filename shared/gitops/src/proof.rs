//! What became of a claim [M1, M2, M4].
//!
//! A push lands only while the branch is at exactly the commit that was read. So either the claim's commit is the child of that commit on the
//! branch, or the branch is still there and the fence makes it move, or it has moved on another way and the claim's commit can land no more.

use crate::git::{Commit, Query};
use crate::place::Place;
use crate::plan::{self, Planned, Reading};
use crate::trailer;
use picket_core::ids::EntryId;
use picket_core::ports::{Before, PortError, PortResult};
use picket_core::proposal::Work;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;

/// Commits that may bear one entry's name before it is called strange.
const COMMITS_MAX: usize = 100;

/// The claim in question.
pub(crate) struct Claim<'a> {
    /// Its entry.
    pub entry: &'a EntryId,
    /// Its token.
    pub token: FencingToken,
    /// Its work.
    pub work: &'a Work,
    /// What was read before it.
    pub before: &'a Before,
    /// The same, read.
    pub reading: &'a Reading,
}

/// What the branch says.
pub(crate) enum Seen {
    /// Its commit is there.
    Landed {
        /// The commit.
        commit: String,
        /// What it changed.
        planned: Planned,
    },
    /// The branch is where it was read.
    Unmoved,
    /// It has moved on without it.
    NeverWill,
    /// Neither can be shown.
    CannotTell(String),
}

/// Reads the branch, and looks for the claim's commit.
pub(crate) async fn look(place: &Place, claim: &Claim<'_>) -> PortResult<Seen> {
    let read = claim.before.resource_version.as_str();
    let head = match place.head().await {
        Ok(head) => head,
        Err(PortError::NotFound { what }) => return Ok(Seen::CannotTell(format!("{what} does not exist any more"))),
        Err(error) => return Err(error),
    };
    if head == read {
        return Ok(Seen::Unmoved);
    }
    if !place.mirror.is_ancestor(read, &head).await? {
        return Ok(Seen::CannotTell(format!("the history of {} was rewritten since", place.mirror.name())));
    }
    let holding = trailer::action_id(claim.entry).map_err(|why| crate::reading::refused(&claim.before.object, &why))?;
    let query = Query {
        until: &head,
        since: Some(read),
        holding: Some(&holding),
        path: None,
        max: COMMITS_MAX,
        allowed_signers: place.allowed_signers(),
    };
    let commits = place.mirror.commits(query).await?;
    let bears = |commit: &&Commit| trailer::read(&commit.message).action_id.as_deref() == Some(claim.entry.as_str());
    let bearing: Vec<_> = commits.iter().filter(bears).collect();
    for commit in &bearing {
        if let Some(planned) = is_its_own(place, claim, commit).await? {
            return Ok(Seen::Landed { commit: commit.id.clone(), planned });
        }
    }
    Ok(match bearing.first() {
        None => Seen::NeverWill,
        Some(other) => Seen::CannotTell(format!("{} bears the entry, and is not the commit that picket would have made", other.id)),
    })
}

/// Whether it is what the claim would have committed: the same parents, tree and trailers, in picket's name. Its date is its own.
async fn is_its_own(place: &Place, claim: &Claim<'_>, commit: &Commit) -> PortResult<Option<Planned>> {
    let merged = claim.reading.request.iter().map(|request| request.commit.as_str());
    let parents: Vec<&str> = std::iter::once(claim.before.resource_version.as_str()).chain(merged).collect();
    let scope = Scope::of(&claim.work.action().service);
    let trailers = trailer::read(&commit.message);
    if commit.parents != parents || !place.is_ours(commit) || trailers.tokens != [(scope, claim.token)] {
        return Ok(None);
    }
    let at = Timestamp(commit.at_s.saturating_mul(1000));
    let Ok(planned) = plan::plan(claim.work, claim.reading, at) else { return Ok(None) };
    let tree = place.mirror.tree(&claim.before.resource_version, &planned.changes).await?;
    Ok((tree == commit.tree).then_some(planned))
}

/// Raises the fence above the claim, on exactly the commit that was read.
///
/// One more is enough: tokens of a scope strictly rise (I2), so the next claim carries at least this token.
pub(crate) async fn fence(place: &Place, claim: &Claim<'_>, now: Timestamp) -> PortResult<()> {
    let above = FencingToken(claim.token.0.saturating_add(1)).max(claim.before.token.unwrap_or_default());
    let message = trailer::fence(&[(Scope::of(&claim.work.action().service), above)]);
    match place.add(&claim.before.resource_version, None, &[], &message, now).await {
        // Whether it landed, the next look says.
        Err(PortError::Timeout { what }) => Err(PortError::Unavailable { what, why: "it did not answer within its deadline".to_owned() }),
        done => done.map(drop),
    }
}
