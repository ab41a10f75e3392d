//! Long-lived connections between nodes: mutual TLS, told apart from clients by the protocol's name (ALPN), frames with numbers, many
//! calls at once. Knows nothing of what the frames say.

pub mod connection;
pub mod frame;
pub mod link;
pub mod serve;

/// The protocol's name in the handshake. Another version is another name.
pub const ALPN: &[u8] = b"picket-raft/1";
