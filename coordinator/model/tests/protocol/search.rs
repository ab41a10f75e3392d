//! One complete search for each configuration, however many tests ask for it.

use picket_protocol_model::check::{Exhausted, exhaust};
use picket_protocol_model::rules::Rules;
use picket_protocol_model::setup::Setup;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

type Searches = Mutex<HashMap<(&'static str, Rules), Arc<OnceLock<Exhausted>>>>;
static DONE: LazyLock<Searches> = LazyLock::new(Mutex::default);

/// The search's result; its figures are printed once.
pub fn of(setup: Setup) -> Exhausted {
    let place = Arc::clone(DONE.lock().expect("no search panics while it holds the map").entry((setup.name, setup.rules)).or_default());
    place
        .get_or_init(|| {
            let done = exhaust(setup);
            println!("{}: {} states, depth {}", setup.name, done.states, done.depth);
            done
        })
        .clone()
}

/// Asserts that nothing breaks, and that the search was worth something.
pub fn assert_holds(setup: Setup) {
    let done = of(setup);
    if let Some(found) = &done.broken {
        panic!("{}: {} breaks in {} steps: {:#?}", setup.name, found.breaks.as_str(), found.steps.len(), found.steps);
    }
    assert_eq!(done.unreached, Vec::<&str>::new(), "{}: never reached", setup.name);
    assert!(done.states >= setup.states_min, "{}: only {} states of at least {}", setup.name, done.states, setup.states_min);
}
