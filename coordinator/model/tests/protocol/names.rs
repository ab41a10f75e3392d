//! The promises are called what the code calls them.

use picket_protocol_model::invariant::Invariant;
use std::path::Path;

#[test]
fn invariants_bear_the_numbers_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/core/src/invariants.rs");
    let code = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let numbered: Vec<&str> = Invariant::ALL.iter().map(|i| i.as_str()).filter(|name| name.starts_with('I')).collect();
    assert_eq!(numbered.len(), 11, "I12 alone is out of the model");
    for name in numbered {
        assert!(code.contains(&format!("Self::{name} => \"")), "{name} is not an invariant of the code");
    }
}
