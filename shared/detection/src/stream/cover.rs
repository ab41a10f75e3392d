//! The places that a series has visited, as a bounded set of balls.
//!
//! A place outside every ball becomes the centre of a new one. When there are too many, the radius grows until the centres that are
//! still apart fit: every place ever visited stays within a small multiple of the radius of a centre (Charikar, Chekuri, Feder and
//! Motwani 1997). The distance to the nearest centre less the radius is then a lower bound, up to that multiple, of how far the
//! newest place is from all earlier ones. Nothing is forgotten.

use super::scale::Scale;

/// How much the radius grows at a time.
const GROWTH: f64 = 1.25;
/// Novelty is not told apart beyond this, in deviations; also what a change of a constant series amounts to.
const NOVELTY_MAX: f64 = 1e6;
/// Values closer than this share of their size are equal: the resolution of arithmetic, not of the series.
const RESOLUTION: f64 = 1e-12;

/// A cover of a `D`-dimensional space, each axis measured in its own deviations.
#[derive(Clone, Debug)]
pub(crate) struct Cover<const D: usize> {
    axes: [Scale; D],
    centres: Vec<[f64; D]>,
    centres_max: usize,
    radius: f64,
}

impl<const D: usize> Cover<D> {
    pub fn new(axis: &Scale, centres_max: usize, radius: f64) -> Self {
        let radius = if radius > 0.0 { radius } else { f64::MIN_POSITIVE };
        Self { axes: std::array::from_fn(|_| axis.clone()), centres: Vec::new(), centres_max: centres_max.max(2), radius }
    }

    /// Visits a place. How far outside the cover it was, in deviations; 0 inside of it and for the first place.
    pub fn visit(&mut self, place: [f64; D]) -> f64 {
        for (axis, value) in self.axes.iter_mut().zip(place) {
            axis.learn(value);
        }
        let unit = self.units(&place);
        let Some(nearest) = self.centres.iter().map(|centre| squared(centre, &place, &unit)).min_by(f64::total_cmp) else {
            self.centres.push(place);
            return 0.0;
        };
        let distance = nearest.sqrt().min(NOVELTY_MAX);
        let novelty = (distance - self.radius).max(0.0);
        if novelty > 0.0 {
            self.centres.push(place);
            if self.centres.len() >= self.centres_max {
                self.thin(&unit);
            }
        }
        novelty
    }

    /// One over each axis' deviation; of an axis without any, over the resolution.
    fn units(&self, place: &[f64; D]) -> [f64; D] {
        std::array::from_fn(|d| {
            let resolution = RESOLUTION * place[d].abs().max(self.axes[d].mean().abs()) + f64::MIN_POSITIVE;
            1.0 / self.axes[d].deviation().max(resolution)
        })
    }

    fn thin(&mut self, unit: &[f64; D]) {
        while self.centres.len() >= self.centres_max && self.radius < NOVELTY_MAX {
            self.radius *= GROWTH;
            let apart = self.radius * self.radius;
            let mut kept: Vec<[f64; D]> = Vec::with_capacity(self.centres.len());
            for centre in &self.centres {
                if kept.iter().all(|other| squared(other, centre, unit) > apart) {
                    kept.push(*centre);
                }
            }
            self.centres = kept;
        }
        self.centres.truncate(self.centres_max);
    }

    /// Bytes beside the cover itself.
    pub const fn heap(&self) -> usize {
        self.centres.capacity() * size_of::<[f64; D]>()
    }

    #[cfg(test)]
    pub const fn radius(&self) -> f64 {
        self.radius
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.centres.len()
    }
}

fn squared<const D: usize>(a: &[f64; D], b: &[f64; D], unit: &[f64; D]) -> f64 {
    (0..D).map(|d| ((a[d] - b[d]) * unit[d]).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(centres: usize) -> Cover<1> {
        Cover::new(&Scale::new(8.0, 20_000.0), centres, 0.1)
    }

    #[test]
    fn a_place_is_new_once() {
        let mut cover = cover(64);
        for i in 0..300 {
            cover.visit([f64::from(i % 7)]);
        }
        assert!(cover.visit([3.0]) == 0.0);
        assert!(cover.visit([40.0]) > 10.0);
        assert!(cover.visit([40.0]) == 0.0);
        assert!(cover.visit([20.0]) > 5.0, "a gap between visited places is new as well");
    }

    #[test]
    fn it_grows_coarser_instead_of_larger_and_forgets_nothing() {
        let mut cover = cover(16);
        for i in 0..5_000_u32 {
            cover.visit([f64::from(i.wrapping_mul(2_654_435_761) >> 8)]);
            assert!(cover.len() <= 16);
        }
        assert!(cover.radius() > 0.1);
        for i in 0..5_000_u32 {
            let again = cover.visit([f64::from(i.wrapping_mul(2_654_435_761) >> 8)]);
            assert!(again < 5.0 * cover.radius(), "{again} at radius {}", cover.radius());
        }
    }

    #[test]
    fn a_constant_series_that_moves_is_new_and_its_rounding_is_not() {
        let mut cover = cover(64);
        for _ in 0..500 {
            assert!(cover.visit([1e9]) == 0.0);
        }
        assert!(cover.visit([1e9 + 1e-7]) == 0.0);
        assert!(cover.visit([1e9 + 1.0]) > 1.0);
    }
}
