//! What stands between a network's products: GELU, softmax and layer norm, entry by entry.
//!
//! The loops are plain ones, in functions that `pulp` compiles once for each kind of processor: the compiler then uses its widest registers.

use pulp::{Arch, Simd, WithSimd};
use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// Sums that run side by side: one sum alone would wait for each addition.
const LANES: usize = 16;

/// A layer norm's weights (Ba, Kiros and Hinton, 2016, "Layer Normalization").
pub struct Norm {
    /// Factor of each entry.
    pub weight: Vec<f32>,
    /// Added to each entry.
    pub bias: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Norm {
    /// Normalises each row of `rows`, after adding the same row of `added`.
    pub fn of_sums(&self, rows: &mut [f32], added: &[f32]) {
        Arch::new().dispatch(Sums { norm: self, rows, added });
    }

    /// Normalises one row.
    #[inline(always)]
    pub fn of_row(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = sum(row, |x| x) / count;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
        let scale = 1.0 / (variance + self.epsilon).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = (*x - mean) * scale * weight + bias;
        }
    }
}

struct Sums<'a> {
    norm: &'a Norm,
    rows: &'a mut [f32],
    added: &'a [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.norm.weight.len();
        for (row, added) in self.rows.chunks_exact_mut(width).zip(self.added.chunks_exact(width)) {
            for (x, y) in row.iter_mut().zip(added) {
                *x += y;
            }
            self.norm.of_row(row);
        }
    }
}

/// x Φ(x), with the normal distribution's Φ (Hendrycks and Gimpel, 2016, "Gaussian Error Linear Units").
pub fn gelu(values: &mut [f32]) {
    Arch::new().dispatch(Gelu(values));
}

struct Gelu<'a>(&'a mut [f32]);

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for x in self.0 {
            *x = gelu_of(*x);
        }
    }
}

/// The softmax of `scale` times each row of `width` entries.
pub fn softmax(rows: &mut [f32], width: usize, scale: f32) {
    Arch::new().dispatch(Softmax { rows, width, scale });
}

struct Softmax<'a> {
    rows: &'a mut [f32],
    width: usize,
    scale: f32,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { rows, width, scale } = self;
        for row in rows.chunks_exact_mut(width) {
            let largest = largest(row);
            for x in &mut *row {
                *x = exp((*x - largest) * scale);
            }
            let share = 1.0 / sum(row, |x| x);
            for x in row {
                *x *= share;
            }
        }
    }
}

#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += of(*x);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|x| of(*x)).sum::<f32>()
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// The error function by Abramowitz and Stegun, 1964, 7.1.26: off by at most 1.5e-7.
#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    let z = x.abs() * FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_7) * t - 0.284_496_73) * t + 0.254_829_6) * t;
    let tail = 0.5 * poly * exp(-z * z);
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// e^x, to a relative 2e-7: x = n ln 2 + r with a whole n; 2^n is made of its bits, e^r by its Taylor series.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: a number that it is added to is rounded to a whole one, which then stands in the lowest bits.
    const SHIFT: f32 = 12_582_912.0;
    /// ln 2 in two parts; the first times a small whole number is exact.
    const LN_2: [f32; 2] = [0.693_359_4, (std::f64::consts::LN_2 - 0.693_359_375) as f32];
    // Below it the results of what follows would be subnormal numbers, which are slow.
    let x = if x > -80.0 { x } else { -80.0 };
    let x = if x < 88.0 { x } else { 88.0 };
    let shifted = x * LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = ((series * r + 0.5) * r + 1.0) * r + 1.0;
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_near_the_exact_ones() {
        for n in -8000..8800 {
            let x = n as f32 / 100.0;
            let (found, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / exact - 1.0).abs() < 2e-7, "e^{x}: {found} against {exact}");
        }
        assert!(exp(-1e9) < 1e-34);
    }

    /// Φ by its Taylor series, Abramowitz and Stegun 26.2.10, which converges for all these.
    #[test]
    fn gelu_is_near_the_exact_one() {
        let mut values: Vec<f32> = (-500..500).map(|n| n as f32 / 100.0).collect();
        let exact = values.clone();
        gelu(&mut values);
        for (found, x) in values.into_iter().zip(exact.into_iter().map(f64::from)) {
            let mut term = x;
            let mut series = 0.0;
            for n in 0..200 {
                series += term / f64::from(2 * n + 1);
                term *= -x * x / 2.0 / f64::from(n + 1);
            }
            let exact = x * (0.5 + series / (2.0 * std::f64::consts::PI).sqrt());
            assert!((f64::from(found) - exact).abs() < 1e-6, "{x}: {found} against {exact}");
        }
        let mut far = [30.0, -30.0];
        gelu(&mut far);
        assert!(far[0] == 30.0 && far[1].abs() < 1e-30, "{far:?}");
    }

    #[test]
    fn rows_are_normalised_each_for_itself() {
        let mut rows: Vec<f32> = (0..40).map(|n| (n * n % 23) as f32).collect();
        softmax(&mut rows, 20, 0.5);
        for row in rows.chunks(20) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row.iter().all(|x| *x > 0.0));
        }
        assert!((rows[1] / rows[0] - 0.5_f32.exp()).abs() < 1e-5, "0 and 1 are half apart");
        let norm = Norm { weight: vec![2.0; 20], bias: vec![1.0; 20], epsilon: 1e-12 };
        norm.of_sums(&mut rows, &[3.0; 40]);
        for row in rows.chunks(20) {
            let mean = row.iter().sum::<f32>() / 20.0;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 20.0;
            assert!((mean - 1.0).abs() < 1e-4 && (variance - 4.0).abs() < 1e-3, "mean {mean}, variance {variance}");
        }
    }
}
