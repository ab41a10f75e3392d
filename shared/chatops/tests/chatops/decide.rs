//! What is told to whom: every way through the ledger, as a pure function.

use super::entries::{ANSWER_MS, START, asking, mild, moved, through};
use picket_chatops::bridge::decide::{Channel, Outgoing, Say, decide, decide_gone};
use picket_chatops::bridge::seen::{ENTRIES_MAX, Seen, Store};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ledger::{EntryState as S, LedgerEvent, next};
use picket_core::ports::PortError;
use picket_core::severity::Severity;
use proptest::prelude::*;

fn looks(entry: &LedgerEntry) -> bool {
    entry.paging && !entry.state.is_terminal()
}

/// Tells everything there is to tell; returns what was told.
fn tell(seen: &mut Seen, entry: &LedgerEntry) -> Vec<(Channel, Say)> {
    let mut told = Vec::new();
    while let Some(out) = decide(seen, entry, START).into_iter().next() {
        seen.note(&out, looks(entry), None);
        told.push((out.channel, out.say));
        assert!(told.len() < 20, "it never ends: {told:?}");
    }
    told
}

fn on(told: &[(Channel, Say)], channel: Channel) -> Vec<Say> {
    told.iter().filter(|(c, _)| *c == channel).map(|(_, say)| *say).collect()
}

/// What a channel is told when an entry goes this way from its question on.
fn story(channel: Channel, first: LedgerEntry, way: &[S]) -> Vec<Vec<Say>> {
    let mut seen = Seen::default();
    let mut entry = first;
    let mut all = vec![on(&tell(&mut seen, &entry), channel)];
    for to in way {
        entry = moved(entry, *to);
        all.push(on(&tell(&mut seen, &entry), channel));
        assert!(tell(&mut seen, &entry).is_empty(), "the same again is told again");
    }
    all
}

#[test]
fn a_question_is_put_answered_and_ended_in_chats() {
    for channel in [Channel::Slack, Channel::Teams] {
        let told = story(channel, asking("a"), &[S::Approved, S::Permitted, S::Claimed, S::Observing, S::Settled]);
        assert_eq!(told, [vec![Say::Ask], vec![Say::Answered], vec![], vec![], vec![], vec![Say::Over]]);
        assert_eq!(story(channel, asking("a"), &[S::Denied]), [vec![Say::Ask], vec![Say::Over]]);
        assert_eq!(story(channel, asking("a"), &[S::Expired]), [vec![Say::Ask], vec![Say::Over]]);
    }
}

#[test]
fn a_question_that_comes_again_is_put_again() {
    let told = story(Channel::Slack, asking("a"), &[S::Approved, S::Queued, S::AwaitingApproval, S::Cancelled]);
    assert_eq!(told, [vec![Say::Ask], vec![Say::Answered], vec![], vec![Say::Ask], vec![Say::Over]]);
    // Also when the answer in between was missed.
    let mut seen = Seen::default();
    tell(&mut seen, &asking("a"));
    let again = through(asking("a"), &[S::Approved, S::Queued, S::AwaitingApproval]);
    assert_eq!(on(&tell(&mut seen, &again), Channel::Slack), [Say::AskedAgain, Say::Ask]);
}

#[test]
fn what_goes_wrong_pages_each_time() {
    let way = [S::Approved, S::Permitted, S::Claimed, S::Indeterminate, S::Undoing, S::UndoFailed, S::Settled];
    let told = story(Channel::Slack, mild(asking("a")), &way);
    assert_eq!(told[4..], [vec![Say::Page], vec![Say::Answered], vec![Say::Page], vec![Say::Over]]);
    // The buttons of a question go also when its answer was missed.
    let mut seen = Seen::default();
    tell(&mut seen, &mild(asking("a")));
    let lost = through(mild(asking("a")), &way[..4]);
    assert_eq!(on(&tell(&mut seen, &lost), Channel::Slack), [Say::Answered, Say::Page]);
}

#[test]
fn nobody_hears_of_what_asks_nothing() {
    let quiet = mild(moved(asking("a"), S::Permitted));
    assert_eq!(tell(&mut Seen::default(), &quiet), []);
    for state in S::ALL.into_iter().filter(|s| s.is_terminal()) {
        assert_eq!(tell(&mut Seen::default(), &moved(asking("a"), state)), [], "{state:?}");
    }
    // A question whose time is over is not put any more.
    let late = decide(&Seen::default(), &mild(asking("a")), START.plus_ms(ANSWER_MS));
    assert_eq!(late, []);
}

#[test]
fn grave_acts_and_what_went_wrong_open_one_alert() {
    let told = story(Channel::PagerDuty, asking("a"), &[S::Approved, S::Permitted, S::Claimed, S::Observing, S::Settled]);
    assert_eq!(told, [vec![Say::Raise], vec![], vec![], vec![], vec![], vec![Say::Resolve]]);
    let told = story(
        Channel::PagerDuty,
        mild(asking("a")),
        &[S::Approved, S::Permitted, S::Claimed, S::Indeterminate, S::Undoing, S::UndoFailed, S::Failed],
    );
    assert_eq!(told[..4], [vec![], vec![], vec![], vec![]]);
    assert_eq!(told[4..], [vec![Say::Raise], vec![Say::Resolve], vec![Say::Raise], vec![Say::Resolve]]);
    // A grave one that goes wrong is news, though its alert is open.
    let told = story(Channel::PagerDuty, asking("a"), &[S::Approved, S::Claimed, S::Indeterminate, S::Undoing, S::UndoFailed, S::Settled]);
    assert_eq!(told[2..], [vec![], vec![Say::Raise], vec![], vec![Say::Raise], vec![Say::Resolve]]);
}

#[test]
fn every_severity_is_weighed_and_an_undo_is_part_of_its_parents_alert() {
    for (severity, expected) in [(Severity::One, 1), (Severity::Two, 1), (Severity::Three, 0), (Severity::Four, 0)] {
        let entry = LedgerEntry { severity, ..asking("a") };
        assert_eq!(on(&tell(&mut Seen::default(), &entry), Channel::PagerDuty).len(), expected, "{severity}");
    }
    let child = LedgerEntry { parent: Some("a".into()), ..moved(asking("b"), S::Permitted) };
    assert_eq!(tell(&mut Seen::default(), &child), []);
}

#[test]
fn what_the_ledger_forgot_is_closed_everywhere() {
    let mut seen = Seen::default();
    tell(&mut seen, &asking("a"));
    let says: Vec<_> = decide_gone(&seen, &"a".into()).into_iter().map(|out| (out.channel, out.say)).collect();
    assert_eq!(says, [(Channel::Slack, Say::Gone), (Channel::Teams, Say::Gone), (Channel::PagerDuty, Say::Resolve)]);
    for out in decide_gone(&seen, &"a".into()) {
        seen.note(&out, false, None);
    }
    assert_eq!((decide_gone(&seen, &"a".into()), seen.ids().count()), (vec![], 0));
}

#[test]
fn what_was_told_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told.json");
    let store = Store::open(&path).unwrap();
    let entry = asking("a");
    for out in store.look(|seen| decide(seen, &entry, START)) {
        store.note(&out, Some(&entry), None).unwrap();
    }
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.look(|seen| decide(seen, &entry, START)), []);
    // A channel that was taken out of the settings is forgotten.
    store.change(|seen| seen.keep(&[Channel::Teams])).unwrap();
    let left: Vec<_> = store.look(|seen| decide_gone(seen, &"a".into())).into_iter().map(|out| out.channel).collect();
    assert_eq!(left, [Channel::Teams]);
    std::fs::write(&path, b"{\"entries\":7}").unwrap();
    let Err(PortError::Damaged { why, .. }) = Store::open(&path) else { panic!("it must be refused") };
    assert!(why.contains("move it away"), "{why}");
}

#[test]
fn what_is_remembered_is_bounded_and_the_oldest_goes() {
    let mut seen = Seen::default();
    let out = |n: usize| Outgoing { channel: Channel::Slack, say: Say::Ask, entry: format!("act-{n}").into(), step: 1 };
    let forgotten: Vec<_> = (0..=ENTRIES_MAX).filter_map(|n| seen.note(&out(n), false, None)).collect();
    assert_eq!((forgotten, seen.ids().count()), (vec![EntryId::from("act-0")], ENTRIES_MAX));
}

proptest! {
    /// Along any way that the ledger's table has, whatever part of it was missed: nothing is told twice, every question and page is told when
    /// it is seen, and at the end nothing is left open anywhere.
    #[test]
    fn any_way_is_told_and_closed(events in proptest::collection::vec(0usize..19, 0..40), missed in proptest::collection::vec(any::<bool>(), 40), severity in 1u8..=4) {
        let mut entry = LedgerEntry { severity: Severity::try_from(severity).unwrap(), ..asking("a") };
        let mut seen = Seen::default();
        tell(&mut seen, &entry);
        for (n, event) in events.into_iter().enumerate() {
            let Ok(to) = next(entry.state, LedgerEvent::ALL[event]) else { continue };
            entry = moved(entry, to);
            if missed[n] {
                continue;
            }
            let told = on(&tell(&mut seen, &entry), Channel::Slack);
            prop_assert_eq!(told.contains(&Say::Ask), to == S::AwaitingApproval);
            prop_assert_eq!(told.contains(&Say::Page), looks(&entry));
            prop_assert!(tell(&mut seen, &entry).is_empty());
        }
        if !entry.state.is_terminal() {
            entry = moved(entry, S::Settled);
        }
        tell(&mut seen, &entry);
        prop_assert_eq!(seen.ids().count(), 0);
    }
}
