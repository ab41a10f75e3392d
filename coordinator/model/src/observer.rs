//! An observer: obtains a time, then reads, then posts.

/// A reading that has begun: what the coordinator said before the cluster was looked at.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Begun {
    /// Coordinator time.
    pub echo: u8,
    /// Releases of budget counted.
    pub releases: u8,
    /// Entries with a reservation, as bits: their pods are picket's own.
    pub reserved: u8,
}

/// A process that serves the cluster as its observer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Observer {
    /// Its epoch; 0 until it registers.
    pub epoch: u8,
    /// Readings it has made.
    pub seq: u8,
    /// One that has begun.
    pub begun: Option<Begun>,
}
