//! What happened, line by line: two runs of one seed write the same bytes.

use crate::executor;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};

/// The lines, or only their digest.
#[derive(Debug, Default)]
pub struct Trace {
    keep: bool,
    text: String,
    digest: DefaultHasher,
    lines: u64,
}

impl Trace {
    /// Keeps the text when asked to; the digest is always made.
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Adds a line, stamped with the virtual time and the number of polls so far: the scheduler's choices are in it too.
    pub fn line(&mut self, what: std::fmt::Arguments<'_>) {
        let mut line = String::with_capacity(80);
        // Writing to a string does not fail.
        let _ = writeln!(line, "{:>9} {:>7} {what}", executor::now_ns() / 1_000 - 3_600_000_000, executor::polls());
        self.digest.write(line.as_bytes());
        self.lines += 1;
        if self.keep {
            self.text.push_str(&line);
        }
    }

    /// Digest of all lines, their number, and the text if it was kept.
    #[must_use]
    pub fn finish(self) -> (u64, u64, String) {
        (self.digest.finish(), self.lines, self.text)
    }
}
