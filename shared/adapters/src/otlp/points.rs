//! The value of one data point.

use super::exponential::{explicit, total};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint};
use picket_core::signal::{MetricValue, Temporality};
use picket_core::time::Timestamp;

/// Most explicit buckets of a histogram.
const BUCKETS_MAX: usize = 256;
const NANOS_PER_MS: u64 = 1_000_000;

/// A point in time from nanoseconds; `otherwise` when none was sent.
pub(super) fn timestamp(nanos: u64, otherwise: Timestamp) -> Timestamp {
    if nanos == 0 { otherwise } else { Timestamp((nanos / NANOS_PER_MS) as i64) }
}

pub(super) fn number(point: &NumberDataPoint) -> Result<f64, &'static str> {
    let value = match point.value {
        Some(Value::AsDouble(value)) => value,
        Some(Value::AsInt(value)) => value as f64,
        None => return Err("no_value"),
    };
    if value.is_finite() { Ok(value) } else { Err("not_finite") }
}

pub(super) fn temporality(sent: i32) -> Result<Temporality, &'static str> {
    match AggregationTemporality::try_from(sent) {
        Ok(AggregationTemporality::Delta) => Ok(Temporality::Delta),
        Ok(AggregationTemporality::Cumulative) => Ok(Temporality::Cumulative),
        _ => Err("no_temporality"),
    }
}

/// The running total of something that rises and falls is simply its value now: a gauge.
pub(super) fn sum(
    point: &NumberDataPoint,
    sent_temporality: i32,
    monotonic: bool,
    received_at: Timestamp,
) -> Result<MetricValue, &'static str> {
    let (value, temporality) = (number(point)?, temporality(sent_temporality)?);
    if !monotonic && temporality == Temporality::Cumulative {
        return Ok(MetricValue::Gauge { value });
    }
    if monotonic && value < 0.0 {
        return Err("negative_counter");
    }
    let start = timestamp(point.start_time_unix_nano, timestamp(point.time_unix_nano, received_at));
    Ok(MetricValue::Sum { value, monotonic, temporality, start })
}

pub(super) fn histogram(point: &HistogramDataPoint, sent_temporality: i32, received_at: Timestamp) -> Result<MetricValue, &'static str> {
    let temporality = temporality(sent_temporality)?;
    let bounds = &point.explicit_bounds;
    if bounds.len() > BUCKETS_MAX {
        return Err("too_many_buckets");
    }
    if bounds.iter().any(|bound| !bound.is_finite()) {
        return Err("not_finite");
    }
    // A histogram may come without buckets: then all it says is sum and count.
    let counts = if point.bucket_counts.is_empty() && bounds.is_empty() { vec![point.count] } else { point.bucket_counts.clone() };
    let ascending = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || counts.len() != bounds.len() + 1 || total(&counts) != Some(point.count) {
        return Err("inconsistent_histogram");
    }
    let start = timestamp(point.start_time_unix_nano, timestamp(point.time_unix_nano, received_at));
    Ok(MetricValue::Histogram { bounds: bounds.clone(), counts, sum: finite_sum(point.sum)?, count: point.count, temporality, start })
}

pub(super) fn exponential(
    point: &ExponentialHistogramDataPoint,
    sent_temporality: i32,
    received_at: Timestamp,
) -> Result<MetricValue, &'static str> {
    let temporality = temporality(sent_temporality)?;
    let (bounds, counts) = explicit(point)?;
    let start = timestamp(point.start_time_unix_nano, timestamp(point.time_unix_nano, received_at));
    Ok(MetricValue::Histogram { bounds, counts, sum: finite_sum(point.sum)?, count: point.count, temporality, start })
}

fn finite_sum(sum: Option<f64>) -> Result<f64, &'static str> {
    let sum = sum.unwrap_or(0.0);
    if sum.is_finite() { Ok(sum) } else { Err("not_finite") }
}
