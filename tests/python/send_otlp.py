"""Sends one of every kind of telemetry by the OpenTelemetry SDK: send_otlp.py grpc|http ENDPOINT TOKEN SERVICE none|gzip"""

import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

protocol, endpoint, token, service, compression = sys.argv[1:]

if protocol == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    common = {"headers": {"authorization": f"Bearer {token}"}, "timeout": 20}
    common["compression"] = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    metrics, spans, logs = ({"endpoint": endpoint, "insecure": True, **common} for _ in range(3))
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    common = {"headers": {"authorization": f"Bearer {token}"}, "timeout": 20}
    common["compression"] = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    metrics, spans, logs = ({"endpoint": f"{endpoint}/v1/{kind}", **common} for kind in ("metrics", "traces", "logs"))

resource = Resource.create({"service.name": service, "k8s.namespace.name": "shop", "k8s.pod.name": f"{service}-1"})

views = [View(instrument_type=Histogram, instrument_name="exponential.*", aggregation=ExponentialBucketHistogramAggregation())]
reader = PeriodicExportingMetricReader(OTLPMetricExporter(**metrics), export_interval_millis=3_600_000)
meters = MeterProvider(resource=resource, metric_readers=[reader], views=views)
meter = meters.get_meter("picket.test")
meter.create_counter("requests", unit="{request}").add(5, {"route": "/"})
meter.create_up_down_counter("k8s.container.restart.count").add(3)
meter.create_gauge("queue.length").set(7.5)
meter.create_histogram("http.server.request.duration", unit="s").record(0.25, {"http.response.status_code": 500})
exponential = meter.create_histogram("exponential.duration", unit="s")
for value in (0.001, 0.01, 0.1, 1.0):
    exponential.record(value)
sent = meters.force_flush()

tracers = TracerProvider(resource=resource)
tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(**spans)))
tracer = tracers.get_tracer("picket.test")
with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER):
    with tracer.start_as_current_span("stock", kind=SpanKind.CLIENT, attributes={"peer.service": "stock"}) as span:
        span.set_status(Status(StatusCode.ERROR))

loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(**logs)))
record = LogRecord(timestamp=1_700_000_000_000_000_000, severity_number=SeverityNumber.ERROR, body="stock is away", attributes={"k8s.event.reason": "BackOff"})
loggers.get_logger("picket.test").emit(record)

tracers.shutdown()
loggers.shutdown()
meters.shutdown()
if not sent:
    sys.exit("the metrics were not taken")
