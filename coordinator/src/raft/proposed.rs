//! A command in the log: the bytes that are replicated, and what they say.

use bytes::Bytes;
use picket_core::coordination::{Attributed, Proposer, Request};
use picket_core::ids::Principal;
use picket_core::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A request and the very bytes it was read from. Those bytes go into the log as they came: every replica reads the same ones with the
/// same reader, and nothing is printed and read again along the way, where a number might change in its last bit.
#[derive(Clone, Debug)]
pub struct Written {
    request: Request,
    text: Bytes,
}

impl Written {
    /// Reads a request (JSON).
    ///
    /// # Errors
    /// When the text is no request.
    pub fn read(text: Bytes) -> Result<Self, serde_json::Error> {
        Ok(Self { request: serde_json::from_slice(&text)?, text })
    }

    /// Writes a request that was made here down.
    ///
    /// # Errors
    /// When it cannot be written, or would not read back.
    pub fn new(request: &Request) -> Result<Self, serde_json::Error> {
        Self::read(serde_json::to_vec(request)?.into())
    }

    /// What is asked.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The bytes it was read from.
    #[must_use]
    pub const fn text(&self) -> &Bytes {
        &self.text
    }
}

/// What stands before the request's text.
#[derive(Serialize, Deserialize)]
struct Head {
    principal: Principal,
    proposer: Option<Proposer>,
    at: Timestamp,
}

/// Why bytes from the log are no command.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// What stands before the request.
    #[error("the command's head does not parse: {0}")]
    Head(#[from] postcard::Error),
    /// The request itself.
    #[error("the request does not parse: {0}")]
    Request(#[from] serde_json::Error),
}

struct Inner {
    /// Head (postcard) and request (JSON).
    bytes: Bytes,
    /// What the bytes say, until it is applied: whoever wrote them has read them before.
    said: Mutex<Option<Box<(Attributed, Timestamp)>>>,
}

/// A command in the log. Clones share it.
#[derive(Clone)]
pub struct Proposed(Arc<Inner>);

impl Proposed {
    /// A command with who says it, who proposes it, and the proposer's time.
    ///
    /// # Errors
    /// When the head cannot be written.
    pub fn new(principal: Principal, written: Written, proposer: Option<Proposer>, at: Timestamp) -> Result<Self, postcard::Error> {
        let Written { request, text } = written;
        let head = Head { principal, proposer, at };
        let mut bytes = postcard::to_extend(&head, Vec::with_capacity(64 + text.len()))?;
        bytes.extend_from_slice(&text);
        let said = (Attributed { principal: head.principal, request, proposer }, at);
        Ok(Self(Arc::new(Inner { bytes: bytes.into(), said: Mutex::new(Some(Box::new(said))) })))
    }

    /// A command as it came from the log or from the leader; it is read when it is applied.
    #[must_use]
    pub fn of_bytes(bytes: Bytes) -> Self {
        Self(Arc::new(Inner { bytes, said: Mutex::new(None) }))
    }

    /// The bytes that are replicated.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Reads it where it arrives, so that nothing comes near the log that cannot be applied. What was read is kept for `read`.
    ///
    /// # Errors
    /// When the bytes are not a command.
    pub fn check(&self) -> Result<(), Unreadable> {
        let said = self.read()?;
        *self.0.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(said));
        Ok(())
    }

    /// What it says. What was read before is given away: afterwards the entry keeps the bytes alone.
    ///
    /// # Errors
    /// When the bytes are not a command.
    pub fn read(&self) -> Result<(Attributed, Timestamp), Unreadable> {
        if let Some(said) = self.0.said.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(*said);
        }
        let (head, text) = postcard::take_from_bytes::<Head>(&self.0.bytes)?;
        let Head { principal, proposer, at } = head;
        Ok((Attributed { principal, request: serde_json::from_slice(text)?, proposer }, at))
    }
}

impl fmt::Debug for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.0.bytes.len())
    }
}

// openraft asks for these; entries travel and lie on disk as `codec` writes them.
impl Serialize for Proposed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.bytes)
    }
}

impl<'de> Deserialize<'de> for Proposed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| Self::of_bytes(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::coordination::Command;
    use picket_core::scope::Scope;

    #[test]
    fn a_replica_reads_what_the_proposer_applies() {
        let command = Command::AcquireLease { scopes: vec![Scope::External("a".into(), "b".into())], ttl_ms: 1_000 };
        let written = Written::new(&Request { request_id: "r".into(), command }).unwrap();
        let proposer = Proposer { node: 3, term: 70_000 };
        let proposed = Proposed::new(Principal::Human("kim".into()), written, Some(proposer), Timestamp(-5)).unwrap();
        let replica = Proposed::of_bytes(proposed.bytes().clone());
        let applied = proposed.read().unwrap();
        assert_eq!(applied, replica.read().unwrap());
        assert_eq!(applied, proposed.read().unwrap(), "also when it is read again");
        assert_eq!(applied.0.proposer, Some(proposer));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        assert!(matches!(Proposed::of_bytes(Bytes::new()).read(), Err(Unreadable::Head(_))));
        let written = Written::new(&Request { request_id: "r".into(), command: Command::Tick }).unwrap();
        let proposed = Proposed::new(Principal::Node(1), written, None, Timestamp(1)).unwrap();
        let cut = proposed.bytes().slice(..proposed.bytes().len() - 1);
        assert!(matches!(Proposed::of_bytes(cut).read(), Err(Unreadable::Request(_))));
    }
}
