//! The protocol's promises, by complete search; and every rule, by what breaks without it.

mod configurations;
mod names;
mod search;
mod switches;
