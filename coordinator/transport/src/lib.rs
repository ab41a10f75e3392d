//! Connections that last: frames with numbers, many calls at once. What nodes say in them is theirs; what clients say stands in [`client`],
//! since both ends must agree on it.

pub mod client;
pub mod connection;
pub mod frame;
pub mod serve;
