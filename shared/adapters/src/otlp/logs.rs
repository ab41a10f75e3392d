//! Log records as signals.

use super::attributes::{attributes, cleaned, insert_text, text_of};
use super::batches::{Batches, Rejected};
use super::names;
use super::points::timestamp;
use super::resource::resource;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord as OtlpLog;
use picket_core::ids::ClusterName;
use picket_core::signal::{LogRecord, Resource, Signal, SignalBatch, SignalKind};
use picket_core::time::Timestamp;

/// Bytes kept of a body.
pub(super) const BODY_BYTES_MAX: usize = 4_096;

/// Log records, Kubernetes events among them.
#[must_use]
pub fn normalise_logs(request: &ExportLogsServiceRequest, cluster: &ClusterName, received_at: Timestamp) -> (Vec<SignalBatch>, Rejected) {
    let mut batches = Batches::new(cluster);
    for sent in &request.resource_logs {
        let resource = resource(sent.resource.as_ref(), cluster);
        for log in sent.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            match normalise(log, &resource, received_at) {
                Ok(log) => batches.push(SignalKind::Logs, Signal::Log(log)),
                Err(reason) => batches.rejected.add(reason),
            }
        }
    }
    batches.finish()
}

fn normalise(sent: &OtlpLog, resource: &Resource, received_at: Timestamp) -> Result<LogRecord, &'static str> {
    let severity = u8::try_from(sent.severity_number).ok().filter(|severity| *severity <= 24).ok_or("bad_severity")?;
    let mut attributes = attributes(&sent.attributes);
    names::rename(&mut attributes);
    for (name, id, bytes) in [("trace_id", &sent.trace_id, 16), ("span_id", &sent.span_id, 8)] {
        if id.len() == bytes {
            insert_text(&mut attributes, name, &hex::encode(id));
        }
    }
    if !sent.event_name.is_empty() {
        insert_text(&mut attributes, "event.name", &cleaned(&sent.event_name, 255));
    }
    let observed = timestamp(sent.observed_time_unix_nano, received_at);
    Ok(LogRecord {
        resource: resource.clone(),
        at: timestamp(sent.time_unix_nano, observed),
        severity,
        body: text_of(sent.body.as_ref(), BODY_BYTES_MAX),
        attributes,
    })
}
