//! Spans as signals.

use super::attributes::{attributes, cleaned};
use super::batches::{Batches, Rejected};
use super::names;
use super::points::timestamp;
use super::resource::resource;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as OtlpKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use picket_core::ids::ClusterName;
use picket_core::signal::{Resource, Signal, SignalBatch, SignalKind, Span, SpanKind};
use picket_core::time::Timestamp;

const NAME_BYTES_MAX: usize = 255;

/// Finished spans, with the callee's name taken out of the attributes.
#[must_use]
pub fn normalise_traces(
    request: &ExportTraceServiceRequest,
    cluster: &ClusterName,
    received_at: Timestamp,
) -> (Vec<SignalBatch>, Rejected) {
    let mut batches = Batches::new(cluster);
    for sent in &request.resource_spans {
        let resource = resource(sent.resource.as_ref(), cluster);
        for span in sent.scope_spans.iter().flat_map(|scope| &scope.spans) {
            match normalise(span, &resource, received_at) {
                Ok(span) => batches.push(SignalKind::Traces, Signal::Span(span)),
                Err(reason) => batches.rejected.add(reason),
            }
        }
    }
    batches.finish()
}

fn normalise(sent: &OtlpSpan, resource: &Resource, received_at: Timestamp) -> Result<Span, &'static str> {
    let zero = |id: &[u8]| id.iter().all(|byte| *byte == 0);
    if sent.trace_id.len() != 16 || zero(&sent.trace_id) {
        return Err("bad_trace_id");
    }
    if sent.span_id.len() != 8 || zero(&sent.span_id) || !(sent.parent_span_id.is_empty() || sent.parent_span_id.len() == 8) {
        return Err("bad_span_id");
    }
    let end = timestamp(sent.end_time_unix_nano, received_at);
    let start = timestamp(sent.start_time_unix_nano, end);
    if start > end {
        return Err("ends_before_start");
    }
    let mut attributes = attributes(&sent.attributes);
    names::rename(&mut attributes);
    Ok(Span {
        resource: resource.clone(),
        trace_id: hex::encode(&sent.trace_id),
        span_id: hex::encode(&sent.span_id),
        parent_span_id: if zero(&sent.parent_span_id) { String::new() } else { hex::encode(&sent.parent_span_id) },
        name: cleaned(&sent.name, NAME_BYTES_MAX),
        kind: kind(sent.kind),
        start,
        end,
        error: sent.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32),
        peer_service: attributes.remove("peer.service"),
        attributes,
    })
}

fn kind(sent: i32) -> SpanKind {
    match OtlpKind::try_from(sent) {
        Ok(OtlpKind::Client) => SpanKind::Client,
        Ok(OtlpKind::Server) => SpanKind::Server,
        Ok(OtlpKind::Producer) => SpanKind::Producer,
        Ok(OtlpKind::Consumer) => SpanKind::Consumer,
        // The protocol says that an unspecified kind counts as internal.
        Ok(OtlpKind::Internal | OtlpKind::Unspecified) | Err(_) => SpanKind::Internal,
    }
}
