//! The queue of a channel: bounded, newest word per entry, questions last to go.

use super::entries::{asking, mild, moved};
use picket_chatops::bridge::decide::Channel;
use picket_chatops::bridge::lane::Lane;
use picket_chatops::bridge::pending::{Item, Pending, Put, Subject};
use picket_core::coordination::LedgerEntry;
use picket_core::ledger::EntryState;
use tokio::time::Instant;

fn item(entry: LedgerEntry) -> Item {
    Item { subject: Subject::Entry(Box::new(entry)), stop_epoch: 0, due: None }
}

fn news(id: &str) -> Item {
    item(moved(mild(asking(id)), EntryState::Settled))
}

fn question(id: &str) -> Item {
    item(asking(id))
}

#[test]
fn a_later_word_replaces_an_earlier_one_and_never_the_other_way_round() {
    let mut pending = Pending::new(4);
    assert_eq!(pending.put(question("a")), Put::In);
    assert_eq!(pending.put(question("b")), Put::In);
    pending.put(item(moved(asking("a"), EntryState::Approved)));
    pending.put(question("a"));
    let first = pending.take(Instant::now()).unwrap();
    assert_eq!((first.subject.id().as_str(), first.subject.entry().unwrap().state), ("a", EntryState::Approved));
    assert_eq!(pending.len(), 1);
}

#[test]
fn when_it_is_full_the_oldest_news_go_and_no_question() {
    let mut pending = Pending::new(3);
    for item in [question("q1"), news("n1"), news("n2")] {
        assert_eq!(pending.put(item), Put::In);
    }
    assert_eq!(pending.put(question("q2")), Put::Instead("n1".into()));
    assert_eq!(pending.put(question("q3")), Put::Instead("n2".into()));
    assert_eq!(pending.put(news("n3")), Put::Dropped);
    assert_eq!(pending.put(question("q4")), Put::Full);
    let left: Vec<_> = std::iter::from_fn(|| pending.take(Instant::now())).map(|i| i.subject.id().to_string()).collect();
    assert_eq!(left, ["q1", "q2", "q3"]);
}

#[tokio::test]
async fn what_found_no_room_makes_the_ledger_be_read_again_once_there_is_room() {
    let lane = Lane::new(Channel::Slack, 2);
    for id in ["q1", "q2", "q3"] {
        lane.put(question(id));
    }
    assert!(!lane.wants_whole_ledger(), "there is no room yet");
    let first = lane.take().await;
    assert!(lane.has(first.subject.id()), "what is in hand counts as waiting");
    lane.done(None);
    assert!(!lane.has(first.subject.id()));
    assert!(lane.wants_whole_ledger());
    assert!(!lane.wants_whole_ledger(), "once");
}

#[tokio::test]
async fn what_is_not_due_holds_up_nothing() {
    let lane = Lane::new(Channel::Slack, 4);
    let later = Instant::now() + std::time::Duration::from_secs(3600);
    lane.put(Item { due: Some(later), ..question("later") });
    lane.put(question("now"));
    assert_eq!(lane.take().await.subject.id().as_str(), "now");
    lane.done(None);
    assert!(!lane.is_idle());
}
