use super::*;
use crate::wire::State;

fn safety(violated: u64, stop: bool) -> Safety {
    Safety {
        violations: vec![InvariantCount { id: "I4".into(), says: String::new(), count: violated }],
        stop: Stop { set: stop, stopping: stop, open_claims: 1, ..Stop::default() },
        ..Safety::default()
    }
}

fn acting(action: &str) -> Entry {
    Entry { action: action.into(), state: State { words: "acting".into(), tone: Tone::Acting, ..State::default() }, ..Entry::default() }
}

#[test]
fn a_quiet_day_is_said_in_one_sentence() {
    let line = headline(&safety(0, false), &[], &[], None);
    assert_eq!(line.text, "No incident is open; nothing waits for you.");
    assert_eq!(line.tone, Tone::Quiet);
}

#[test]
fn what_a_person_must_do_outranks_what_picket_does() {
    let waits = Entry { can: vec!["approve".into(), "deny".into()], paging: true, ..Entry::default() };
    let line = headline(&safety(0, false), &[], &[acting("restart east/shop/cart"), waits], None);
    assert_eq!(line.text, "No incident is open; picket is about one act: restart east/shop/cart (acting); 1 act waits for your answer.");
    assert_eq!(line.tone, Tone::Asks);
}

#[test]
fn stop_and_violations_come_first() {
    let line = headline(&safety(2, true), &[], &[], None);
    assert!(line.text.starts_with("I4 was broken"), "{}", line.text);
    assert!(line.text.contains("STOP is set: 1 claimed act still runs to its end."), "{}", line.text);
    assert_eq!(line.tone, Tone::Bad);
}

#[test]
fn an_open_breaker_is_said_and_who_must_look() {
    let breaker = BreakerView { since: Timestamp(0), why: "5 acts within the hour ended badly".into() };
    let line = headline(&safety(0, false), &[], &[], Some((&"east".into(), &breaker)));
    assert!(line.text.starts_with("Picket does nothing more in east until somebody has looked: 5 acts"), "{}", line.text);
    assert_eq!(line.tone, Tone::Asks);
}

#[test]
fn stopped_is_said_when_every_fence_is_confirmed() {
    let mut stopping = safety(0, true);
    stopping.stop = Stop { set: true, stopping: true, fences_missing: vec!["east".into(), "west".into()], ..Stop::default() };
    let line = headline(&stopping, &[], &[], None);
    assert!(line.text.starts_with("STOP is set: the fences of east, west are not confirmed yet."), "{}", line.text);
    stopping.stop = Stop { set: true, ..Stop::default() };
    let line = headline(&stopping, &[], &[], None);
    assert!(line.text.starts_with("STOP is set: picket changes nothing until a person resumes."), "{}", line.text);
}

#[test]
fn before_the_first_answer_nothing_is_pretended() {
    let terms = Terms { gate: GateRule::default(), person: "human:kim".into(), fresh_within_ms: 1 };
    let snapshot = snapshot(&Heard::default(), &terms, Timestamp(5));
    assert!(snapshot.clock.fault.contains("has not been heard"));
    assert!(snapshot.safety.agents.is_empty());
    assert_eq!((snapshot.clock.now_ms, snapshot.safety.violations.len()), (5, 12));
}
