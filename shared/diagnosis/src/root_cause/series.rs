//! What is measured: series of readings at even steps, by node.

/// What a metric says, which decides the direction that means trouble.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricKind {
    /// Time to answer: up is trouble, its own or its callees'.
    Latency,
    /// Failures, as a count or a share: up is trouble, its own or its callees'.
    Errors,
    /// Share of requests answered well: down is trouble, its own or its callees'.
    Availability,
    /// Requests: down is what a victim shows, and what a caller that fails before it calls does to its callees.
    Traffic,
    /// Processor time: up beyond what its traffic explains is its own trouble.
    Cpu,
    /// Memory: up is its own trouble.
    Memory,
    /// Time between a caller and this node, beyond the node's own answering time: up is its own trouble (its network).
    Network,
    /// Bytes that it sends: up beyond what its traffic explains is a hint.
    Sent,
    /// Anything else: not used.
    Other,
}

impl MetricKind {
    /// Whether the readings grow with the node's traffic by themselves.
    #[must_use]
    pub const fn follows_traffic(self) -> bool {
        matches!(self, Self::Cpu | Self::Sent)
    }
}

/// Readings of one metric of one instance of a node.
#[derive(Clone, Debug)]
pub struct Series {
    /// The node of the call graph it speaks of.
    pub node: String,
    /// Which instance (pod) of it; empty when there is one.
    pub instance: String,
    /// The metric's name, unique within node and instance.
    pub metric: String,
    /// What it says.
    pub kind: MetricKind,
    /// One per row of its period, in any unit; NaN where there is none.
    pub readings: Vec<f64>,
}

impl Series {
    /// Node, instance and metric.
    pub(crate) fn key(&self) -> (String, String, String) {
        (self.node.clone(), self.instance.clone(), self.metric.clone())
    }
}

/// Series over the same rows, each row one step of time.
#[derive(Clone, Debug, Default)]
pub struct Period {
    /// Them.
    pub series: Vec<Series>,
    /// Rows that belong to the period: rows in which something else is known to have happened are false. Empty: all do.
    pub usable: Vec<bool>,
}

impl Period {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.series.iter().map(|s| s.readings.len()).max().unwrap_or(0)
    }

    /// Whether these rows belong to it.
    #[must_use]
    pub fn are_usable(&self, rows: std::ops::Range<usize>) -> bool {
        self.usable.is_empty() || rows.into_iter().all(|row| self.usable.get(row).copied().unwrap_or(false))
    }

    /// The rows from `from`, `length` long; rows beyond its ends are without readings.
    #[must_use]
    pub fn window(&self, from: i64, length: usize) -> Self {
        let at = |s: &Series, row: i64| usize::try_from(row).ok().and_then(|row| s.readings.get(row)).copied().unwrap_or(f64::NAN);
        let cut = |s: &Series| Series { readings: (0..length as i64).map(|i| at(s, from + i)).collect(), ..s.clone() };
        Self { series: self.series.iter().map(cut).collect(), usable: Vec::new() }
    }
}

/// How a window is laid out: steps just before, and steps of the incident itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowShape {
    /// Steps before it.
    pub before: usize,
    /// Steps of it; at least 1.
    pub during: usize,
}

impl WindowShape {
    /// Steps in all.
    #[must_use]
    pub const fn length(self) -> usize {
        self.before + self.during
    }
}
