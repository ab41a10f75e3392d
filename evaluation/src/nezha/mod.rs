//! Nezha: faults injected into pods of two shops, from metrics alone (Yu et al., ESEC/FSE 2023).

mod clock;
mod evaluate;
mod read;

pub use evaluate::evaluate;

#[cfg(test)]
mod tests;
