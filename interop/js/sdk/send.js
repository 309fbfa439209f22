// Sends traces, metrics and logs with the official JavaScript SDK: the same data first to DIRECT, then to VIA.
//
//     node send.js http|json|grpc none|gzip VIA DIRECT SECONDS
//
// DIRECT takes OTLP over HTTP, in JSON if VIA does and else in protobuf; VIA takes what the first two arguments
// say. An export may take so many SECONDS, the SDK's own retries included. Prints, as JSON, for each signal whether
// all exports to VIA were a success by the SDK's word.

"use strict";

const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, trace } = require("@opentelemetry/api");
const { SeverityNumber } = require("@opentelemetry/api-logs");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { AggregationTemporality, AggregationType, MeterProvider, MetricReader } = require("@opentelemetry/sdk-metrics");
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");

// An encoding that a client gives up on after its first answer shows only then.
const TIMES = 3;
const EXPORTERS = { traces: ["trace", "OTLPTraceExporter"], metrics: ["metrics", "OTLPMetricExporter"], logs: ["logs", "OTLPLogExporter"] };
const TEXT = 'größe 日本 \u{1f680} \0 \x1f \u2028 "quoted" \\ /';
const VALUES = {
  string: TEXT,
  "string.empty": "",
  "string.long": "lorem ipsum ".repeat(200),
  bool: true,
  "bool.false": false,
  int: -7,
  "int.max": Number.MAX_SAFE_INTEGER,
  "int.min": Number.MIN_SAFE_INTEGER,
  "int.zero": 0,
  double: 0.1,
  "double.tiny": 5e-324,
  "double.nan": NaN, // null in JSON
  "double.infinity": Infinity,
  strings: ["", TEXT],
  bools: [true, false],
  ints: [-1, 0, 2 ** 40],
  doubles: [0.5, 1.25e-300],
  "array.empty": [],
  größe: "a key that is not ASCII",
};
// What attributes of log records and their bodies can be beside that.
const MORE_VALUES = {
  ...VALUES,
  bytes: new Uint8Array([0, 255, 254, 1]),
  "bytes.empty": new Uint8Array(),
  "array.mixed": ["text", 1, 2.5, true, new Uint8Array([1])],
  map: { inner: { deeper: [1, "two"] } },
  "map.empty": {},
  null: null,
};
const RESOURCE = resourceFromAttributes({ "service.name": "sends from JavaScript", ...VALUES }, { schemaUrl: "https://opentelemetry.io/schemas/1.37.0" });
const SCOPE = ["first.scope", "1.2.3", { schemaUrl: "https://example.com/schema" }];
const START = [1_700_000_000, 123_456_789];

/** Finished spans of two scopes, one of them with all that a span can have. */
function spans() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ resource: RESOURCE, spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracer = provider.getTracer(...SCOPE);
  const other = {
    traceId: "0102030405060708090a0b0c0d0e0f10",
    spanId: "1112131415161718",
    traceFlags: TraceFlags.SAMPLED,
    traceState: createTraceState("vendor=x:1,other=y"),
    isRemote: true,
  };
  const parent = trace.setSpanContext(ROOT_CONTEXT, other);
  for (const [name, kind] of Object.entries(SpanKind).filter(([, kind]) => Number.isInteger(kind))) {
    tracer.startSpan(`span ${name}`, { kind, startTime: START }, parent).end([START[0] + 1, 1]);
  }
  const links = [{ context: other, attributes: VALUES }, { context: other }];
  const span = tracer.startSpan(TEXT, { kind: SpanKind.SERVER, attributes: VALUES, links, startTime: START }, parent);
  span.addEvent("event", VALUES, [START[0], 123_456_790]);
  span.addEvent("", {}, [START[0], 123_456_791]);
  span.recordException(new Error("größe"));
  span.setStatus({ code: SpanStatusCode.ERROR, message: "no: ßø" });
  span.end([9_000_000_000, 999_999_999]);
  const root = provider.getTracer("").startSpan("root of another scope", {}, ROOT_CONTEXT);
  provider.getTracer("").startSpan("", {}, trace.setSpan(ROOT_CONTEXT, root)).end();
  root.setStatus({ code: SpanStatusCode.OK });
  root.end();
  return exporter.getFinishedSpans();
}

class Reader extends MetricReader {
  async onForceFlush() {}
  async onShutdown() {}
}

/** What a collection brings: every kind of metric. In JSON this SDK writes null for NaN and the infinities. */
async function metrics(number) {
  const temporality = number % 2 ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
  const reader = new Reader({ aggregationTemporalitySelector: () => temporality });
  const views = [{ instrumentName: "exponential", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }];
  const provider = new MeterProvider({ resource: RESOURCE, readers: [reader], views });
  const meter = provider.getMeter(...SCOPE);
  const counter = meter.createCounter("counter", { unit: "By", description: TEXT, valueType: 0 });
  counter.add(2 ** 50, VALUES);
  counter.add(1);
  meter.createCounter("counter.double").add(0.1, { größe: "1" });
  meter.createUpDownCounter("up.down", { valueType: 0 }).add(-5, { key: "value" });
  meter.createUpDownCounter("up.down.double").add(-0.5);
  for (const value of [0.5, -1e300, NaN, Infinity, -Infinity]) meter.createGauge("gauge").record(value, { of: `${value}` });
  meter.createGauge("gauge.int", { valueType: 0 }).record(0);
  const histogram = meter.createHistogram("histogram", { advice: { explicitBucketBoundaries: [0, 0.5, 1e3] } });
  const exponential = meter.createHistogram("exponential", { unit: "s" });
  for (const value of [0, 0.1, 0.7, 5e-300, 1e9, 3.5]) {
    histogram.record(value, { key: 1 });
    exponential.record(value, { key: 2 });
  }
  exponential.record(1, { key: 3 });
  const observed = provider.getMeter("").createObservableGauge("observed");
  observed.addCallback((result) => result.observe(7, { observed: true }));
  const { resourceMetrics, errors } = await reader.collect();
  if (errors.length > 0) throw errors[0];
  return resourceMetrics;
}

/** Log records with a body of every kind. */
function logs() {
  const exporter = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({ resource: RESOURCE, processors: [new SimpleLogRecordProcessor({ exporter })] });
  const logger = provider.getLogger(...SCOPE);
  for (const body of Object.values(MORE_VALUES)) {
    logger.emit({ timestamp: START, observedTimestamp: [START[0], 1], body, attributes: MORE_VALUES });
  }
  const context = trace.setSpanContext(ROOT_CONTEXT, {
    traceId: "0102030405060708090a0b0c0d0e0f10",
    spanId: "1112131415161718",
    traceFlags: TraceFlags.SAMPLED,
  });
  for (const [severityText, severityNumber] of Object.entries(SeverityNumber).filter(([, it]) => Number.isInteger(it))) {
    provider.getLogger("second.scope").emit({ severityText, severityNumber, body: "in a span", context });
  }
  provider.getLogger("").emit({ eventName: "an.event", observedTimestamp: START });
  return exporter.getFinishedLogRecords();
}

function batch(signal, number) {
  return { traces: spans, metrics: () => metrics(number), logs }[signal]();
}

function exporter(signal, transport, compression, endpoint, seconds, headers) {
  const [name, exported] = EXPORTERS[signal];
  const packages = { grpc: "grpc", http: "proto", json: "http" };
  const Exporter = require(`@opentelemetry/exporter-${name}-otlp-${packages[transport]}`)[exported];
  const url = transport === "grpc" ? endpoint : `${endpoint}/v1/${signal}`;
  return new Exporter({ url, headers, compression, timeoutMillis: seconds * 1000 });
}

/** Whether it was a success by the SDK's word. */
function sent(to, batch) {
  return new Promise((resolve) => to.export(batch, (result) => resolve(result.code === 0)));
}

async function main() {
  const [transport, compression, via, direct, seconds] = process.argv.slice(2);
  if (!seconds) throw new Error("usage: node send.js http|json|grpc none|gzip VIA DIRECT SECONDS");
  const results = {};
  for (const signal of Object.keys(EXPORTERS)) {
    const toDirect = exporter(signal, transport === "json" ? "json" : "http", "none", direct, seconds, { "x-exit": "direct" });
    const toVia = exporter(signal, transport, compression, via, seconds);
    results[signal] = true;
    for (let number = 0; number < TIMES && results[signal]; number += 1) {
      const items = await batch(signal, number);
      if (!(await sent(toDirect, items))) throw new Error(`${signal} were not taken at ${direct}`);
      results[signal] = await sent(toVia, items);
    }
    await Promise.all([toDirect.shutdown(), toVia.shutdown()]);
  }
  console.log(JSON.stringify(results));
}

main().catch((error) => {
  console.error(`send.js: ${error.stack}`);
  process.exitCode = 1;
});
