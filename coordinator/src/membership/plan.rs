//! What a change of the members asks for next, and whether now is the time. Pure.

use picket_core::membership::{MemberChange, MemberRole, MemberView, MembersView};
use std::collections::BTreeSet;

/// A node that lacks no more entries than this is up to date: it has the rest before a change is committed.
pub const BEHIND_MAX: u64 = 1_000;
/// A node that has not answered for longer does not count as there. Whoever falls just before a change may still hold it up.
pub const SILENT_MS_MAX: u64 = 1_500;

/// What the leader does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It holds already.
    Nothing,
    /// One more learner.
    AddLearner {
        /// Which.
        id: u64,
        /// Where.
        address: String,
    },
    /// These vote from now on; whoever does not any more is no member.
    Voters(BTreeSet<u64>),
    /// A learner is no member any more.
    DropLearner(u64),
    /// Another leads.
    Lead {
        /// Who.
        to: u64,
        /// The change itself is still to come, from the new leader: this one cannot remove itself.
        then_go_on: bool,
    },
}

/// Decides the next step of `change`, on the leader `me`.
///
/// # Errors
/// Why not, and what to do.
pub fn next_step(view: &MembersView, me: u64, change: &MemberChange) -> Result<Step, String> {
    let voters: BTreeSet<u64> = view.members.iter().filter(|m| m.role == MemberRole::Voter).map(|m| m.id).collect();
    match change {
        MemberChange::Add { id, address } => match view.member(*id) {
            None => Ok(Step::AddLearner { id: *id, address: address.clone() }),
            Some(known) if known.address == *address => Ok(Step::Nothing),
            Some(known) => Err(format!("node {id} is a member at {}", known.address)),
        },
        MemberChange::Promote { id } => {
            let learner = member(view, *id)?;
            if learner.role == MemberRole::Voter {
                return Ok(Step::Nothing);
            }
            is_up_to_date(learner)?;
            step_to(view, me, voters.iter().copied().chain([*id]).collect(), *id)
        }
        MemberChange::Remove { id } => match view.member(*id).map(|m| m.role) {
            None => Ok(Step::Nothing),
            Some(MemberRole::Learner) => Ok(Step::DropLearner(*id)),
            Some(MemberRole::Voter) => {
                let left: BTreeSet<u64> = voters.iter().copied().filter(|v| v != id).collect();
                if left.is_empty() {
                    return Err(format!("node {id} is the only voter: promote another first"));
                }
                step_to(view, me, left, *id)
            }
        },
        MemberChange::Replace { old, new } => {
            let newcomer = member(view, *new)?;
            let goes = view.member(*old).is_some();
            if newcomer.role == MemberRole::Voter && !goes {
                return Ok(Step::Nothing);
            }
            is_up_to_date(newcomer)?;
            let voters = voters.iter().copied().filter(|v| v != old).chain([*new]).collect();
            match view.member(*old).map(|m| m.role) {
                Some(MemberRole::Learner) => Err(format!("node {old} has no vote to give: remove it, and promote {new}")),
                _ => step_to(view, me, voters, *old),
            }
        }
        MemberChange::Transfer { to } => {
            let to = match to {
                Some(to) => successor(view, me, &voters, Some(*to))?,
                None => successor(view, me, &voters, None)?,
            };
            Ok(if to == me { Step::Nothing } else { Step::Lead { to, then_go_on: false } })
        }
    }
}

fn member(view: &MembersView, id: u64) -> Result<&MemberView, String> {
    view.member(id).ok_or_else(|| format!("node {id} is no member: add it first"))
}

fn is_there(member: &MemberView) -> bool {
    member.answered_ms_ago.is_some_and(|ms| ms <= SILENT_MS_MAX)
}

fn is_up_to_date(member: &MemberView) -> Result<(), String> {
    let id = member.id;
    if !is_there(member) {
        return Err(format!("node {id} does not answer the leader: start it, and see that it is reached at {}", member.address));
    }
    match member.behind {
        Some(behind) if behind <= BEHIND_MAX => Ok(()),
        Some(behind) => Err(format!("node {id} is {behind} entries behind ({BEHIND_MAX} are allowed): wait until it has caught up")),
        None => Err(format!("how far node {id} is, is not known yet: ask again in a moment")),
    }
}

/// The new voters must be able to go on without anybody who is away, or the change would stop the group. `moving` is who gains or loses
/// a vote: the leader hands over before it goes.
fn step_to(view: &MembersView, me: u64, voters: BTreeSet<u64>, moving: u64) -> Result<Step, String> {
    let there = voters.iter().filter(|id| view.member(**id).is_some_and(is_there)).count();
    let needed = voters.len() / 2 + 1;
    if there < needed {
        let away: Vec<_> = voters.iter().filter(|id| !view.member(**id).is_some_and(is_there)).map(u64::to_string).collect();
        return Err(format!(
            "of the voters that there would be, {} do not answer, and {needed} of {} are needed: start them first",
            away.join(", "),
            voters.len()
        ));
    }
    if moving == me && !voters.contains(&me) {
        let to = successor(
            view,
            me,
            &voters.iter().copied().filter(|id| view.member(*id).is_some_and(|m| m.role == MemberRole::Voter)).collect(),
            None,
        )?;
        return Ok(Step::Lead { to, then_go_on: true });
    }
    Ok(Step::Voters(voters))
}

/// Who leads next: the one asked for, or the voter that is closest behind.
fn successor(view: &MembersView, me: u64, voters: &BTreeSet<u64>, wanted: Option<u64>) -> Result<u64, String> {
    if let Some(id) = wanted {
        let known = member(view, id)?;
        if known.role != MemberRole::Voter {
            return Err(format!("node {id} has no vote: promote it first"));
        }
        return is_up_to_date(known).map(|()| id);
    }
    let others = view.members.iter().filter(|m| m.id != me && voters.contains(&m.id));
    let ready = others.filter(|m| is_up_to_date(m).is_ok()).min_by_key(|m| (m.behind, m.id));
    ready.map(|m| m.id).ok_or_else(|| "no other voter is up to date: start one, or wait until it has caught up".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u64, role: MemberRole) -> MemberView {
        MemberView { id, address: format!("h:{id}"), role, behind: Some(0), answered_ms_ago: Some(0) }
    }

    /// Voters 1 to 3, led by 1, and the learner 4.
    fn group() -> MembersView {
        let mut members: Vec<_> = (1..=3).map(|id| node(id, MemberRole::Voter)).collect();
        members.push(node(4, MemberRole::Learner));
        MembersView { leader: Some(1), members, ..MembersView::default() }
    }

    fn with(change: impl FnOnce(&mut MembersView)) -> MembersView {
        let mut view = group();
        change(&mut view);
        view
    }

    fn step(view: &MembersView, change: MemberChange) -> Result<Step, String> {
        next_step(view, 1, &change)
    }

    #[test]
    fn a_change_that_holds_already_is_no_work() {
        let view = group();
        for change in [
            MemberChange::Add { id: 4, address: "h:4".into() },
            MemberChange::Promote { id: 2 },
            MemberChange::Remove { id: 9 },
            MemberChange::Replace { old: 9, new: 3 },
            MemberChange::Transfer { to: Some(1) },
        ] {
            assert_eq!(step(&view, change.clone()), Ok(Step::Nothing), "{change}");
        }
        assert!(step(&view, MemberChange::Add { id: 4, address: "h:5".into() }).is_err());
    }

    #[test]
    fn a_learner_gets_a_vote_when_it_is_there_and_has_caught_up() {
        let promote = || MemberChange::Promote { id: 4 };
        assert_eq!(step(&group(), promote()), Ok(Step::Voters([1, 2, 3, 4].into())));
        assert!(step(&with(|v| v.members[3].behind = Some(BEHIND_MAX + 1)), promote()).unwrap_err().contains("entries behind"));
        assert!(step(&with(|v| v.members[3].behind = None), promote()).unwrap_err().contains("not known yet"));
        assert!(step(&with(|v| v.members[3].answered_ms_ago = None), promote()).unwrap_err().contains("does not answer"));
        assert!(step(&group(), MemberChange::Promote { id: 9 }).unwrap_err().contains("add it first"));
    }

    #[test]
    fn a_change_that_would_leave_no_majority_is_refused() {
        let two_away = with(|v| {
            v.members[1].answered_ms_ago = Some(60_000);
            v.members[2].answered_ms_ago = None;
        });
        let why = step(&two_away, MemberChange::Promote { id: 4 }).unwrap_err();
        assert!(why.contains("2, 3 do not answer"), "{why}");
        let one_away = with(|v| v.members[1].answered_ms_ago = Some(60_000));
        assert_eq!(step(&one_away, MemberChange::Remove { id: 2 }), Ok(Step::Voters([1, 3].into())), "who is away may go");
        assert!(step(&one_away, MemberChange::Remove { id: 3 }).is_err(), "who is needed may not");
        let alone = with(|v| v.members.truncate(1));
        assert!(step(&alone, MemberChange::Remove { id: 1 }).unwrap_err().contains("only voter"));
    }

    #[test]
    fn the_leader_hands_over_before_it_goes() {
        let ahead = with(|v| v.members[1].behind = Some(7));
        assert_eq!(step(&ahead, MemberChange::Remove { id: 1 }), Ok(Step::Lead { to: 3, then_go_on: true }));
        assert_eq!(step(&ahead, MemberChange::Replace { old: 1, new: 4 }), Ok(Step::Lead { to: 3, then_go_on: true }));
        assert_eq!(next_step(&ahead, 3, &MemberChange::Replace { old: 1, new: 4 }), Ok(Step::Voters([2, 3, 4].into())));
    }

    #[test]
    fn leadership_goes_to_a_voter_that_is_up_to_date() {
        assert_eq!(step(&group(), MemberChange::Transfer { to: None }), Ok(Step::Lead { to: 2, then_go_on: false }));
        assert_eq!(step(&group(), MemberChange::Transfer { to: Some(3) }), Ok(Step::Lead { to: 3, then_go_on: false }));
        assert!(step(&group(), MemberChange::Transfer { to: Some(4) }).unwrap_err().contains("no vote"));
        let late = with(|v| v.members[1].behind = Some(BEHIND_MAX + 1));
        assert_eq!(step(&late, MemberChange::Transfer { to: None }), Ok(Step::Lead { to: 3, then_go_on: false }));
        assert!(step(&late, MemberChange::Transfer { to: Some(2) }).is_err());
    }

    #[test]
    fn a_learner_is_dropped_and_has_no_vote_to_give() {
        assert_eq!(step(&group(), MemberChange::Remove { id: 4 }), Ok(Step::DropLearner(4)));
        let five = with(|v| v.members.push(node(5, MemberRole::Learner)));
        assert!(step(&five, MemberChange::Replace { old: 5, new: 4 }).unwrap_err().contains("no vote to give"));
    }
}
