//! Products with matrices that are used many times: packed once into the order in which the processor reads them.
//!
//! The layout and the register tiles follow Goto and van de Geijn, 2008, "Anatomy of High-Performance Matrix Multiplication". The widest
//! instructions are chosen where the program runs, not where it was built.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a tile: with two registers for each, their sums fill what AVX2 has.
pub const TILE: usize = 6;
/// Rows that pass over the packed matrix together: they stay in the second-level cache.
const BLOCK: usize = 16 * TILE;

/// A matrix of `inner` rows, in panels of a few columns each; a panel is read from its beginning to its end.
pub struct Packed {
    inner: usize,
    columns: usize,
    /// Columns of a panel: those of the last beyond `columns` are zero.
    width: usize,
    entries: Vec<f32>,
    /// Where the panels begin: at a cache line, so that no register is read from two.
    begin: usize,
}

/// Bytes of a cache line, on most processors.
const LINE: usize = 64;

impl Packed {
    /// Packs the matrix whose entry at a row and a column is `at(row, column)`.
    pub fn new(inner: usize, columns: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let width = Arch::new().dispatch(Width);
        let length = inner * columns.next_multiple_of(width);
        let mut entries = vec![0.0; length + LINE / size_of::<f32>()];
        let begin = entries.as_ptr().align_offset(LINE).min(LINE / size_of::<f32>());
        for (panel, first) in entries[begin..][..length].chunks_exact_mut((inner * width).max(1)).zip((0..columns).step_by(width)) {
            for column in 0..width.min(columns - first) {
                let down = panel.iter_mut().skip(column).step_by(width);
                down.zip(0..inner).for_each(|(entry, row)| *entry = at(row, first + column));
            }
        }
        Self { inner, columns, width, entries, begin }
    }

    /// `out` = `x` times the matrix, plus `bias` in each row. Rows of `x` begin every `stride` entries, those of `out` stand close.
    pub fn product(&self, x: &[f32], stride: usize, bias: Option<&[f32]>, out: &mut [f32]) {
        self.some(x, stride, bias, 0..self.columns, out);
    }

    /// The same, with the columns divided among `parts` threads: for few rows, whose time goes into reading the matrix.
    pub fn product_in_parts(&self, x: &[f32], bias: Option<&[f32]>, out: &mut [f32], parts: usize) {
        let each = self.columns.div_ceil(self.width).div_ceil(parts.max(1)) * self.width;
        if each >= self.columns {
            return self.product(x, self.inner, bias, out);
        }
        let firsts: Vec<_> = (0..self.columns).step_by(each).collect();
        let part = |first: &usize| {
            let columns = *first..self.columns.min(first + each);
            let mut part = vec![0.0; x.len() / self.inner * columns.len()];
            self.some(x, self.inner, bias, columns.clone(), &mut part);
            (columns, part)
        };
        let parts: Vec<_> = firsts.par_iter().map(part).collect();
        for (columns, part) in parts {
            for (out, part) in out.chunks_exact_mut(self.columns).zip(part.chunks_exact(columns.len())) {
                out[columns.clone()].copy_from_slice(part);
            }
        }
    }

    fn some(&self, x: &[f32], stride: usize, bias: Option<&[f32]>, columns: Range<usize>, out: &mut [f32]) {
        Arch::new().dispatch(Product { matrix: self, x, stride, bias, columns, out });
    }
}

/// Columns of a panel: two registers of the widest kind that there is here.
struct Width;

impl WithSimd for Width {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        2 * S::F32_LANES
    }
}

struct Product<'a> {
    matrix: &'a Packed,
    x: &'a [f32],
    stride: usize,
    bias: Option<&'a [f32]>,
    /// They begin with a panel.
    columns: Range<usize>,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Packed { inner, width, begin, ref entries, .. } = *self.matrix;
        let wide = self.columns.len();
        let panels = &entries[begin + self.columns.start * inner..];
        for (block, out) in self.out.chunks_mut(BLOCK * wide).enumerate() {
            let x = &self.x[block * BLOCK * self.stride..];
            for (panel, first) in panels.chunks_exact(inner * width).zip((0..wide).step_by(width)) {
                let (panel, _) = S::as_simd_f32s(panel);
                let mut bias = [0.0; 64];
                let columns = first..wide.min(first + width);
                if let Some(all) = self.bias {
                    bias[..columns.len()].copy_from_slice(&all[self.columns.start..][columns.clone()]);
                }
                let (bias, _) = S::as_simd_f32s(&bias);
                let start = [bias[0], bias[1]];
                for (place, out) in out.chunks_mut(TILE * wide).enumerate() {
                    let tile =
                        Tile { x: &x[place * TILE * self.stride..], stride: self.stride, inner, start, wide, columns: columns.clone() };
                    match out.len() / wide {
                        1 => tile.fill::<1>(simd, panel, out),
                        2 => tile.fill::<2>(simd, panel, out),
                        3 => tile.fill::<3>(simd, panel, out),
                        4 => tile.fill::<4>(simd, panel, out),
                        5 => tile.fill::<5>(simd, panel, out),
                        _ => tile.fill::<TILE>(simd, panel, out),
                    }
                }
            }
        }
    }
}

/// What one tile of sums is made of.
struct Tile<'a, S: Simd> {
    x: &'a [f32],
    stride: usize,
    inner: usize,
    start: [S::f32s; 2],
    wide: usize,
    columns: Range<usize>,
}

impl<S: Simd> Tile<'_, S> {
    #[inline(always)]
    fn fill<const ROWS: usize>(&self, simd: S, panel: &[S::f32s], out: &mut [f32]) {
        let x: [&[f32]; ROWS] = std::array::from_fn(|row| &self.x[row * self.stride..][..self.inner]);
        let mut sums = [self.start; ROWS];
        for (place, [left, right]) in (0..self.inner).zip(panel.as_chunks::<2>().0) {
            for row in 0..ROWS {
                let x = simd.splat_f32s(x[row][place]);
                sums[row][0] = simd.mul_add_f32s(x, *left, sums[row][0]);
                sums[row][1] = simd.mul_add_f32s(x, *right, sums[row][1]);
            }
        }
        for (out, sums) in out.chunks_exact_mut(self.wide).zip(sums) {
            let (whole, rest) = S::as_mut_simd_f32s(&mut out[self.columns.clone()]);
            whole.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
            if !rest.is_empty() {
                simd.partial_store_f32s(rest, sums[whole.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|n| ((n * 37 + seed * 11) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn a_product_is_that_of_the_definition_for_any_shape() {
        for (rows, inner, columns) in [(1, 1, 1), (5, 7, 3), (6, 32, 16), (13, 33, 100), (200, 40, 65)] {
            let stride = inner + 3;
            let (x, y, bias) = (entries(rows * stride, 1), entries(inner * columns, 2), entries(columns, 3));
            let packed = Packed::new(inner, columns, |row, column| y[row * columns + column]);
            let (mut out, mut bare) = (vec![f32::NAN; rows * columns], vec![f32::NAN; rows * columns]);
            packed.product(&x, stride, Some(&bias), &mut out);
            packed.product(&x, stride, None, &mut bare);
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let exact: f32 = (0..inner).map(|i| x[row * stride + i] * y[i * columns + column]).sum();
                let found = (bare[row * columns + column], out[row * columns + column]);
                assert!((found.0 - exact).abs() < 1e-4 && (found.1 - exact - bias[column]).abs() < 1e-4, "{found:?} against {exact}");
            }
            let close: Vec<f32> = x.chunks(stride).flat_map(|row| &row[..inner]).copied().collect();
            for parts in [1, 2, 3, 99] {
                let mut divided = vec![f32::NAN; rows * columns];
                packed.product_in_parts(&close, Some(&bias), &mut divided, parts);
                assert_eq!(divided, out, "in {parts} parts to the last bit");
            }
        }
    }
}
