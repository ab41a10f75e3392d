//! Sampled requests, as pairs of client and server spans across the services that they pass.

use super::attributes::{number, of_pod, resource, scope, text};
use super::nanos;
use crate::cluster::SimCluster;
use crate::cluster::histogram::SPREAD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use picket_core::time::Timestamp;
use rand::RngExt as _;
use std::collections::BTreeMap;

/// Calls followed below the entry; the topology is not deeper.
const DEPTH_MAX: usize = 6;

/// Spans by (service, pod).
type Sampled = BTreeMap<(usize, usize), Vec<otlp::Span>>;

struct Request<'a> {
    trace: &'a [u8],
    parent: Vec<u8>,
    start_ns: u64,
    depth: usize,
}

impl SimCluster {
    pub(super) fn export_traces(&mut self, since: Timestamp) -> ExportTraceServiceRequest {
        let mut sampled = Sampled::new();
        let entries: Vec<usize> = (0..self.services.len())
            .filter(|at| self.services[*at].spec.ingress_rps > 0.0 && self.services[*at].traffic.rate > 0.0)
            .collect();
        let total: f64 = entries.iter().map(|at| self.services[*at].traffic.rate).sum();
        let span_ms = self.now.since_ms(since).max(1);
        for turn in 0..self.parameters.traces_per_interval.min(entries.len() * 4) {
            // Every entry is sampled in turn, the busier ones again by their share.
            let at = if turn % 2 == 0 {
                entries[(turn / 2 + (self.now.0 / 5000).unsigned_abs() as usize) % entries.len()]
            } else {
                self.by_rate(&entries, total)
            };
            let trace: Vec<u8> = (0..16).map(|_| self.streams.telemetry.random::<u8>()).collect();
            let start = since.plus_ms(self.streams.telemetry.random_range(0..span_ms));
            self.trace_request(at, &Request { trace: &trace, parent: Vec::new(), start_ns: nanos(start), depth: 0 }, &mut sampled);
        }
        let resource_spans = sampled
            .into_iter()
            .map(|((at, pod), spans)| otlp::ResourceSpans {
                resource: resource(of_pod(&self.services[at], &self.services[at].pods[pod])),
                scope_spans: vec![otlp::ScopeSpans { scope: scope(), spans, ..otlp::ScopeSpans::default() }],
                ..otlp::ResourceSpans::default()
            })
            .collect();
        ExportTraceServiceRequest { resource_spans }
    }

    fn by_rate(&mut self, entries: &[usize], total: f64) -> usize {
        let mut left = self.streams.telemetry.random_range(0.0..1.0) * total;
        for at in entries {
            left -= self.services[*at].traffic.rate;
            if left <= 0.0 {
                return *at;
            }
        }
        entries[entries.len() - 1]
    }

    /// Draws a latency around the mean: the logarithm's noise is a sum of uniform numbers, near enough to normal.
    fn draw_latency_s(&mut self, mean_s: f64) -> f64 {
        let normal: f64 = (0..6).map(|_| self.streams.telemetry.random_range(-0.5..0.5)).sum::<f64>() * std::f64::consts::SQRT_2;
        mean_s.max(0.0002) * (SPREAD * normal - SPREAD * SPREAD / 2.0).exp()
    }

    /// Follows one request through a service. Answers its duration in nanoseconds and whether it failed.
    fn trace_request(&mut self, at: usize, request: &Request<'_>, sampled: &mut Sampled) -> Option<(u64, bool)> {
        let ready: Vec<usize> = (0..self.services[at].pods.len()).filter(|p| self.services[at].pods[*p].ready()).collect();
        if ready.is_empty() || self.services[at].quarantined || request.depth > DEPTH_MAX {
            return None;
        }
        let pod = ready[self.streams.telemetry.random_range(0..ready.len())];
        let span_id: Vec<u8> = (0..8).map(|_| self.streams.telemetry.random::<u8>()).collect();
        let calls = self.services[at].spec.calls.clone();
        let called_s: f64 = calls
            .iter()
            .filter_map(|call| Some(call.per_request.min(1.0) * self.services[self.index_of(call.to)?].traffic.latency_s))
            .sum();
        let own_s = (self.services[at].traffic.latency_s - called_s).max(0.1 * self.services[at].spec.base_latency_ms / 1000.0);
        let own_ns = (self.draw_latency_s(own_s) * 1e9) as u64;
        let error_ratio = self.services[at].traffic.error_ratio;
        let failed = self.streams.telemetry.random_range(0.0..1.0) < error_ratio;
        let name = self.services[at].spec.name;
        let mut cursor = request.start_ns + own_ns / 2;
        for call in calls {
            let Some(callee) = self.index_of(call.to) else { continue };
            if self.streams.telemetry.random_range(0.0..1.0) >= call.per_request {
                continue;
            }
            let client_id: Vec<u8> = (0..8).map(|_| self.streams.telemetry.random::<u8>()).collect();
            let (late_s, lost) = self.services[at].link.get(&callee).copied().unwrap_or((0.0, 0.0));
            let wire_ns = 400_000 + (late_s * 1e9) as u64;
            let lost = self.streams.telemetry.random_range(0.0..1.0) < lost;
            let inner =
                Request { trace: request.trace, parent: client_id.clone(), start_ns: cursor + wire_ns / 2, depth: request.depth + 1 };
            let answer = if lost { None } else { self.trace_request(callee, &inner, sampled) };
            let (took_ns, call_failed) = answer.map_or((wire_ns.max(50_000_000), true), |(ns, failed)| (ns + wire_ns, failed));
            let client = otlp::Span {
                trace_id: request.trace.to_vec(),
                span_id: client_id,
                parent_span_id: span_id.clone(),
                name: format!("GET {}", call.to),
                kind: otlp::span::SpanKind::Client as i32,
                start_time_unix_nano: cursor,
                end_time_unix_nano: cursor + took_ns,
                attributes: vec![text("peer.service", call.to), number("http.response.status_code", if call_failed { 503 } else { 200 })],
                status: status(call_failed),
                ..otlp::Span::default()
            };
            sampled.entry((at, pod)).or_default().push(client);
            cursor += took_ns;
        }
        let end_ns = cursor + own_ns - own_ns / 2;
        let server = otlp::Span {
            trace_id: request.trace.to_vec(),
            span_id,
            parent_span_id: request.parent.clone(),
            name: format!("GET /{name}"),
            kind: otlp::span::SpanKind::Server as i32,
            start_time_unix_nano: request.start_ns,
            end_time_unix_nano: end_ns,
            attributes: vec![number("http.response.status_code", if failed { 500 } else { 200 })],
            status: status(failed),
            ..otlp::Span::default()
        };
        sampled.entry((at, pod)).or_default().push(server);
        Some((end_ns - request.start_ns, failed))
    }
}

fn status(failed: bool) -> Option<otlp::Status> {
    Some(otlp::Status {
        code: if failed { otlp::status::StatusCode::Error as i32 } else { otlp::status::StatusCode::Unset as i32 },
        ..otlp::Status::default()
    })
}
