//! Isotonic regression by pooling adjacent violators: the rising steps that are nearest to what was judged.
//!
//! Ayer, Brunk, Ewing, Reid, Silverman, "An empirical distribution function for sampling with incomplete information", 1955; for
//! calibration B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002.

use super::smoothed_targets;
use picket_core::calibration::Judged;

/// The weighted least-squares fit that does not fall: values and positive weights in, one fitted value per value out.
pub(super) fn pool(values: &[(f64, f64)]) -> Vec<f64> {
    // Blocks: mean, weight, members.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in values {
        let mut block = (*value, *weight, 1);
        while let Some(last) = blocks.pop_if(|last| last.0 >= block.0) {
            let weight = last.1 + block.1;
            block = ((last.0 * last.1 + block.0 * block.1) / weight, weight, last.2 + block.2);
        }
        blocks.push(block);
    }
    blocks.into_iter().flat_map(|(mean, _, members)| std::iter::repeat_n(mean, members)).collect()
}

/// Corners (stated, calibrated) of the fit, both rising; between two of them it goes straight.
pub(super) fn fit(judged: &[Judged]) -> Vec<(f64, f64)> {
    let right = judged.iter().filter(|j| j.right).count();
    let (hit, miss) = smoothed_targets(right, judged.len() - right);
    let mut points: Vec<_> = judged.iter().map(|j| (j.stated(), if j.right { hit } else { miss })).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    // What was stated alike is one value with its weight.
    let alike = points.chunk_by(|a, b| a.0 == b.0);
    let (stated, values): (Vec<f64>, Vec<(f64, f64)>) =
        alike.map(|same| (same[0].0, (same.iter().map(|(_, target)| target).sum::<f64>() / same.len() as f64, same.len() as f64))).unzip();
    let fitted = pool(&values);
    // Of a level stretch only its two ends are needed.
    let inner = |i: usize| i > 0 && i + 1 < fitted.len() && fitted[i - 1] == fitted[i] && fitted[i] == fitted[i + 1];
    (0..fitted.len()).filter(|i| !inner(*i)).map(|i| (stated[i], fitted[i])).collect()
}

/// Reads the fit at a stated confidence; beyond its ends it is level.
pub(super) fn apply(corners: &[(f64, f64)], stated: f64) -> f64 {
    let above = corners.partition_point(|(x, _)| *x < stated);
    match (above.checked_sub(1).and_then(|below| corners.get(below)), corners.get(above)) {
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * ((stated - x0) / (x1 - x0)),
        (None, Some((_, y))) | (Some((_, y)), None) => *y,
        (None, None) => stated,
    }
}
