//! The detector as a whole, on synthetic services.

mod bad_input;
mod direct;
mod emitter;
mod faults;
mod gauges;
mod late;
mod quiet;
