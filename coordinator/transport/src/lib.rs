//! Connections that last: frames with numbers, many calls at once. Knows nothing of what the frames say.

pub mod connection;
pub mod frame;
pub mod serve;
