//! Centre and spread of a quantity, robust against the outliers it shall measure.

/// Observations that are believed whatever they are.
const FREE: u64 = 50;

/// A mean and a mean absolute deviation whose residuals are winsorised; both plain averages at first, exponential ones later.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    clip: f64,
    memory: f64,
    seen: u64,
    mean: f64,
    deviation: f64,
}

impl Scale {
    pub fn new(clip: f64, memory: f64) -> Self {
        Self { clip: clip.max(1.0), memory: memory.max(1.0), seen: 0, mean: 0.0, deviation: 0.0 }
    }

    /// The residual of a value, no larger than it may teach.
    pub fn residual(&self, value: f64) -> f64 {
        if self.seen == 0 {
            return 0.0;
        }
        let residual = value - self.mean;
        // A series that was constant so far has no deviation to measure by: it gets its first one from what comes.
        if self.seen > FREE && self.deviation > 0.0 {
            let reach = self.clip * self.deviation;
            residual.clamp(-reach, reach)
        } else {
            residual
        }
    }

    /// The weight of the next observation.
    pub fn weight(&self) -> f64 {
        (1.0 / (self.seen as f64 + 1.0)).max(1.0 / self.memory)
    }

    pub fn learn(&mut self, value: f64) {
        if self.seen == 0 {
            self.mean = value;
        }
        let (residual, weight) = (self.residual(value), self.weight());
        self.mean += weight * residual;
        self.deviation += weight * (residual.abs() - self.deviation);
        self.seen += 1;
    }

    pub const fn mean(&self) -> f64 {
        self.mean
    }

    pub const fn deviation(&self) -> f64 {
        self.deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_hardly_move_it() {
        let mut scale = Scale::new(8.0, 20_000.0);
        for i in 0..500 {
            scale.learn(f64::from(i % 5));
        }
        let (mean, deviation) = (scale.mean(), scale.deviation());
        assert!((mean - 2.0).abs() < 0.05 && (deviation - 1.2).abs() < 0.05, "{mean} {deviation}");
        scale.learn(1e12);
        assert!((scale.mean() - mean).abs() < 0.1 && (scale.deviation() - deviation).abs() < 0.1);
    }

    #[test]
    fn a_constant_series_takes_its_first_deviation_from_what_comes() {
        let mut scale = Scale::new(8.0, 20_000.0);
        (0..200).for_each(|_| scale.learn(3.0));
        assert!(scale.deviation() == 0.0);
        scale.learn(4.0);
        assert!(scale.deviation() > 0.0);
    }
}
