//! The largest of the last so many values, in constant amortised time.

use std::collections::VecDeque;

/// A monotonic queue: what can still become the largest, oldest and largest first.
#[derive(Clone, Debug)]
pub(crate) struct SlidingMax {
    window: u64,
    seen: u64,
    candidates: VecDeque<(u64, f64)>,
}

impl SlidingMax {
    pub fn new(window: usize) -> Self {
        Self { window: window as u64, seen: 0, candidates: VecDeque::new() }
    }

    /// Takes a value; the largest of the window that ends with it.
    pub fn push(&mut self, value: f64) -> f64 {
        while self.candidates.back().is_some_and(|(_, other)| *other <= value) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.seen, value));
        self.seen += 1;
        self.expire();
        self.max().unwrap_or(value)
    }

    /// Lets one observation pass that is not worth keeping.
    pub fn pass(&mut self) {
        self.seen += 1;
        self.expire();
    }

    /// The largest of the window.
    pub fn max(&self) -> Option<f64> {
        self.candidates.front().map(|(_, value)| *value)
    }

    /// Bytes beside the queue itself.
    pub fn heap(&self) -> usize {
        self.candidates.capacity() * size_of::<(u64, f64)>()
    }

    fn expire(&mut self) {
        while self.candidates.front().is_some_and(|(at, _)| at + self.window < self.seen) {
            self.candidates.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_maximum_of_the_window() {
        let values: Vec<f64> = (0..200).map(|i| f64::from((i * 37) % 101)).collect();
        for window in [1, 2, 7, 50] {
            let mut sliding = SlidingMax::new(window);
            for (i, value) in values.iter().enumerate() {
                let plain = values[(i + 1).saturating_sub(window)..=i].iter().copied().fold(f64::MIN, f64::max);
                assert_eq!(sliding.push(*value), plain, "window {window}, value {i}");
            }
        }
    }
}
