//! A frame: length of what follows (4 bytes), number of the call (8), kind (1), body. Little-endian.

use bytes::{Buf as _, Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest frame of a connection that has been greeted.
pub const FRAME_MAX_BYTES: usize = 8 << 20;
/// Longest frame before.
pub const GREETING_MAX_BYTES: usize = 4 << 10;
/// Bytes before the body, the length included.
pub const HEAD_BYTES: usize = 4 + 8 + 1;
/// Room that is made for reads at a time, and the least that there is for one: frames that are still held keep the whole of it.
const READ_BYTES: usize = 64 << 10;
const READ_MIN_BYTES: usize = 4 << 10;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The same in a call and in its answer.
    pub call: u64,
    /// What the body is.
    pub kind: u8,
    /// What is said.
    pub body: Bytes,
}

/// Why bytes are no frame, or a frame is not sent.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than is allowed.
    #[error("a frame of {len} bytes is longer than {max}")]
    Long {
        /// Its length.
        len: usize,
        /// The most there may be.
        max: usize,
    },
    /// Shorter than its own head.
    #[error("a frame of {0} bytes is shorter than its head")]
    Short(usize),
    /// The body could not be written.
    #[error("{0}")]
    Body(String),
}

/// Writes a frame at the end of `out`; `write` appends the body. When it fails, nothing is left of it.
///
/// # Errors
/// When the body cannot be written, or is too long.
pub fn put<E: std::fmt::Display>(
    out: &mut Vec<u8>,
    call: u64,
    kind: u8,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&call.to_le_bytes());
    out.push(kind);
    let written = write(out).map_err(|e| FrameError::Body(e.to_string()));
    let len = out.len().saturating_sub(start + 4);
    let fits = if len > FRAME_MAX_BYTES { Err(FrameError::Long { len, max: FRAME_MAX_BYTES }) } else { Ok(()) };
    if let Err(error) = written.and(fits) {
        out.truncate(start);
        return Err(error);
    }
    out[start..start + 4].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(())
}

/// Bytes that came in, and the frames in them.
#[derive(Debug)]
pub struct Incoming {
    bytes: BytesMut,
    max_bytes: usize,
}

impl Incoming {
    /// Of a connection that has not been greeted: only short frames.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: BytesMut::new(), max_bytes: GREETING_MAX_BYTES }
    }

    /// Frames up to this many bytes, from the first.
    #[must_use]
    pub fn up_to(max_bytes: usize) -> Self {
        Self { bytes: BytesMut::new(), max_bytes }
    }

    /// From now on frames may be long.
    pub const fn greeted(&mut self) {
        self.max_bytes = FRAME_MAX_BYTES;
    }

    /// Reads some bytes; 0 at the end. Given up in between, nothing is lost.
    ///
    /// # Errors
    /// What the connection says.
    pub async fn read(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        if self.bytes.capacity() - self.bytes.len() < READ_MIN_BYTES {
            self.bytes.reserve(READ_BYTES);
        }
        from.read_buf(&mut self.bytes).await
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// When what comes is no frame: the rest of the connection cannot be read any more.
    pub fn frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(head) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*head) as usize;
        if len > self.max_bytes {
            return Err(FrameError::Long { len, max: self.max_bytes });
        }
        if len < HEAD_BYTES - 4 {
            return Err(FrameError::Short(len));
        }
        if self.bytes.len() < 4 + len {
            return Ok(None);
        }
        let mut frame = self.bytes.split_to(4 + len).freeze();
        frame.advance(4);
        let (call, kind) = (frame.get_u64_le(), frame.get_u8());
        Ok(Some(Frame { call, kind, body: frame }))
    }
}

impl Default for Incoming {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &[u8]) -> impl FnOnce(&mut Vec<u8>) -> Result<(), String> {
        |out| {
            out.extend_from_slice(bytes);
            Ok(())
        }
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let mut out = Vec::new();
        put(&mut out, 1, 7, body(b"")).unwrap();
        put(&mut out, u64::MAX, 8, body(b"some more")).unwrap();
        for cut in 0..=out.len() {
            let mut incoming = Incoming::new();
            let mut found = Vec::new();
            for mut part in [&out[..cut], &out[cut..]] {
                while !part.is_empty() {
                    incoming.read(&mut part).await.unwrap();
                }
                while let Some(frame) = incoming.frame().unwrap() {
                    found.push(frame);
                }
            }
            let expected =
                [Frame { call: 1, kind: 7, body: Bytes::new() }, Frame { call: u64::MAX, kind: 8, body: Bytes::from_static(b"some more") }];
            assert_eq!(found, expected, "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn impossible_lengths_are_refused_before_anything_is_kept() {
        for (len, greeted) in [(GREETING_MAX_BYTES + 1, false), (FRAME_MAX_BYTES + 1, true), (u32::MAX as usize, true), (3, true)] {
            let mut incoming = Incoming::new();
            if greeted {
                incoming.greeted();
            }
            incoming.read(&mut &(len as u32).to_le_bytes()[..]).await.unwrap();
            assert!(incoming.frame().is_err(), "{len}");
        }
    }

    #[test]
    fn a_frame_that_cannot_be_written_leaves_nothing() {
        let mut out = b"before".to_vec();
        let failed = put(&mut out, 1, 1, |out: &mut Vec<u8>| {
            out.push(1);
            Err("no")
        });
        assert!(failed.is_err());
        assert!(
            put(&mut out, 1, 1, |out: &mut Vec<u8>| {
                out.resize(FRAME_MAX_BYTES + 1_000, 0);
                Ok::<_, String>(())
            })
            .is_err()
        );
        assert_eq!(out, b"before");
    }
}
