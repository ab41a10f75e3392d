//! What clients say over frames: commands, since these come by the thousand. Everything else they ask for over HTTP.
//!
//! No greeting: the certificate has said who calls.

use bytes::{Buf as _, Bytes};

/// The protocol's name in the TLS handshake (ALPN). Another version is another name.
pub const ALPN: &[u8] = b"picket-client/1";
/// Longest command.
pub const COMMAND_MAX_BYTES: usize = 1 << 20;

/// Kinds of calls.
pub mod ask {
    /// A command: the request as JSON.
    pub const SUBMIT: u8 = 0;
    /// Whether anybody is there.
    pub const PING: u8 = 1;
}

/// Kinds of answers. The body of each begins with where commands are better sent from now on: [`super::put_answer`].
pub mod answer {
    /// What was asked for, as JSON.
    pub const DONE: u8 = 0;
    /// HTTP status (2 bytes, little-endian) and the problem as JSON.
    pub const PROBLEM: u8 = 1;
}

/// The body of an answer: the leader's `host:port` when that is another node (its length in 1 byte; 0: there is nothing to say), then `said`.
#[must_use]
pub fn put_answer(leader: Option<&str>, said: &[u8]) -> Vec<u8> {
    // A name that is too long for DNS is nobody's.
    let leader = leader.filter(|address| address.len() <= usize::from(u8::MAX)).unwrap_or_default();
    let mut body = Vec::with_capacity(1 + leader.len() + said.len());
    body.push(leader.len() as u8);
    body.extend_from_slice(leader.as_bytes());
    body.extend_from_slice(said);
    body
}

/// What [`put_answer`] wrote: the leader's address, and what is said; `None` when it is no such body.
#[must_use]
pub fn read_answer(mut body: Bytes) -> Option<(Option<String>, Bytes)> {
    let len = usize::from(body.try_get_u8().ok()?);
    if body.len() < len {
        return None;
    }
    let leader = body.split_to(len);
    let leader = std::str::from_utf8(&leader).ok()?;
    Some(((len > 0).then(|| leader.to_owned()), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_back_and_half_an_answer_is_none() {
        for leader in [None, Some("node-2.example:7443")] {
            let body = Bytes::from(put_answer(leader, b"{}"));
            assert_eq!(read_answer(body.clone()), Some((leader.map(str::to_owned), Bytes::from_static(b"{}"))));
            for cut in 0..body.len() - 2 {
                assert_eq!(read_answer(body.slice(..cut)), None, "cut at {cut}");
            }
        }
        assert_eq!(read_answer(Bytes::from_static(&[1, 0xff])), None, "an address is text");
        let long = "a".repeat(300);
        assert_eq!(read_answer(put_answer(Some(&long), b"x").into()), Some((None, Bytes::from_static(b"x"))));
    }
}
