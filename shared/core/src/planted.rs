//! A fault planted on purpose. Without the cargo feature `planted-faults` the question is answered "no" at compile time.

/// Whether permits are taken without a look at their signature and digest.
#[cfg(not(feature = "planted-faults"))]
pub(crate) const fn permits_unverified() -> bool {
    false
}

#[cfg(feature = "planted-faults")]
pub(crate) use on::permits_unverified;
#[cfg(feature = "planted-faults")]
pub use on::take_permits_unverified;

#[cfg(feature = "planted-faults")]
mod on {
    use std::cell::Cell;

    thread_local! {
        static UNVERIFIED: Cell<bool> = const { Cell::new(false) };
    }

    /// From now on, on this thread, permits are taken without a look at their signature and digest; or no longer.
    pub fn take_permits_unverified(planted: bool) {
        UNVERIFIED.set(planted);
    }

    pub(crate) fn permits_unverified() -> bool {
        UNVERIFIED.get()
    }
}
