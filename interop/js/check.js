// Proves that our JSON of all three signals is read by JavaScript, with protobufjs and the official .proto
// files: builds requests in which every field of every message is set, hands their protobuf bytes to a client of
// ours, which sends them as OTLP/JSON, reads that with `JSON.parse`, and compares with what was built.
//
//     node check.js CLIENT PROTOS    CLIENT is called with: traces|metrics|logs ENDPOINT none|gzip
//                                    PROTOS is the folder that has opentelemetry/proto/…
//
// Exit code 0 when all of it holds. Listens on loopback, on a port that the system picks.

"use strict";

const { spawn } = require("node:child_process");
const http = require("node:http");
const path = require("node:path");
const zlib = require("node:zlib");
const protobuf = require("protobufjs");

const SIGNALS = {
  traces: ["/v1/traces", "trace", "ExportTraceServiceRequest", "rejectedSpans"],
  metrics: ["/v1/metrics", "metrics", "ExportMetricsServiceRequest", "rejectedDataPoints"],
  logs: ["/v1/logs", "logs", "ExportLogsServiceRequest", "rejectedLogRecords"],
};
// The only bytes that stand as hexadecimal digits.
const IDS = new Set(["traceId", "spanId", "parentSpanId"]);
// Levels of values inside values.
const NESTING_MAX = 3;
const CLIENT_TIMEOUT_MS = 60_000;

const INTEGERS_64 = {
  int64: ["-9223372036854775808", "9223372036854775807", "9007199254740993"],
  sfixed64: ["-9223372036854775808", "9223372036854775807", "9007199254740993"],
  uint64: ["18446744073709551615", "1", "9007199254740993"],
  fixed64: ["18446744073709551615", "1", "9007199254740993"],
};
const INTEGERS_32 = {
  int32: [-(2 ** 31), 2 ** 31 - 1, 1],
  sint32: [-(2 ** 31), 2 ** 31 - 1, 1],
  uint32: [2 ** 32 - 1, 1],
  fixed32: [2 ** 32 - 1, 1],
};
const CORNERS = {
  ...INTEGERS_64,
  ...INTEGERS_32,
  bool: [true, false],
  string: ["plain", "", 'quote " backslash \\ slash /', "\0\n\x1f\x7f\u2028", "größe 日本 \u{1f680}"],
  bytes: ["AP/++w==", "", "YQ==", "YWI=", "YWJj"],
  double: [1.5, NaN, Infinity, -Infinity, -0, 5e-324, Number.MAX_VALUE, 0.1, 1e21],
};

/** An object for `fromObject` with every field set; of a oneof the member that `variant` picks. */
function filled(type, variant, nesting, seen) {
  const object = {};
  for (const field of type.fieldsArray) {
    field.resolve();
    if (!picked(field, variant, nesting)) continue;
    seen.add(`${type.fullName}.${field.name}`);
    const message = field.resolvedType instanceof protobuf.Type ? field.resolvedType : null;
    const inner = nesting + (message && field.partOf ? 1 : 0);
    if (!field.repeated) {
      object[field.name] = message ? filled(message, variant, inner, seen) : scalar(field, variant);
    } else if (message) {
      object[field.name] = range(variants(message, [])).map((number) => filled(message, number, inner, seen));
      object[field.name].push({}); // one in which nothing is set
    } else {
      object[field.name] = range(3).map((number) => scalar(field, number));
    }
  }
  return object;
}

function picked(field, variant, nesting) {
  // An optional field is a oneof of its own.
  if (!field.partOf || field.partOf.fieldsArray.length === 1) return true;
  let members = field.partOf.fieldsArray;
  members.forEach((member) => member.resolve());
  if (nesting >= NESTING_MAX) members = members.filter((member) => !member.resolvedType);
  return members[variant % members.length] === field;
}

/** How many messages it takes until each member of each oneof was set, and each corner of a type tried. */
function variants(type, outer) {
  if (outer.includes(type)) return 1;
  const counts = [1];
  for (const oneof of type.oneofsArray) {
    // Twice where members are messages, so that no field in them has its default each time.
    const messages = oneof.fieldsArray.every((field) => field.resolve().resolvedType);
    counts.push(oneof.fieldsArray.length * (messages ? 2 : 1));
  }
  for (const field of type.fieldsArray) {
    field.resolve();
    if (field.resolvedType instanceof protobuf.Type && !field.repeated) {
      counts.push(variants(field.resolvedType, [...outer, type]));
    } else if (field.type === "double" && type.fieldsArray.length < 5) {
      counts.push(CORNERS.double.length);
    }
  }
  return Math.max(...counts);
}

function scalar(field, variant) {
  if (IDS.has(field.name)) {
    const length = field.name === "traceId" ? 16 : 8;
    return Buffer.from(range(length).map((index) => 0xa0 + variant + index)).toString("base64");
  }
  const isEnum = field.resolvedType instanceof protobuf.Enum;
  const values = isEnum ? Object.values(field.resolvedType.values) : CORNERS[field.type];
  return values[(isEnum ? variant + 1 : variant) % values.length];
}

function range(length) {
  return Array.from({ length }, (_, index) => index);
}

/** OTLP/JSON as `fromObject` wants it: ids in base64. Refuses what is not strictly OTLP/JSON. */
function converted(value, type) {
  ensure(value !== null && typeof value === "object" && !Array.isArray(value), `${type.name} is ${show(value)}`);
  const result = {};
  for (const [name, content] of Object.entries(value)) {
    const field = Object.hasOwn(type.fields, name) ? type.fields[name].resolve() : undefined;
    ensure(field, `${type.name} has no ${name}`);
    if (field.repeated) {
      ensure(Array.isArray(content), `${name} is ${show(content)}, not a list`);
      result[name] = content.map((member) => convertedValue(member, field));
    } else {
      result[name] = convertedValue(content, field);
    }
  }
  return result;
}

function convertedValue(value, field) {
  const { name, type, resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) return converted(value, resolvedType);
  if (IDS.has(name)) {
    ensure(/^([0-9a-f]{2})*$/.test(value), `${name} is ${show(value)}, not lower-case hexadecimal digits`);
    return Buffer.from(value, "hex").toString("base64");
  }
  if (resolvedType || type in INTEGERS_32) {
    ensure(Number.isInteger(value), `${name} is ${show(value)}, not a whole number`);
  } else if (type in INTEGERS_64) {
    ensure(/^-?[0-9]+$/.test(value) && typeof value === "string", `${name} is ${show(value)}, not a decimal string`);
  } else if (type === "double") {
    const special = ["NaN", "Infinity", "-Infinity"].includes(value);
    ensure(special || typeof value === "number", `${name} is ${show(value)}, not a number`);
  } else {
    ensure(typeof value === (type === "bool" ? "boolean" : "string"), `${name} is ${show(value)}, not a ${type}`);
  }
  return value;
}

function parse(body, type) {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  return type.fromObject(converted(JSON.parse(text), type));
}

function show(value) {
  return String(JSON.stringify(value)).slice(0, 100);
}

function ensure(holds, problem) {
  if (!holds) throw new Error(problem);
}

/** A server that keeps the last request and answers what it is told to. */
function startServer() {
  const server = http.createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const { url, headers } = request;
      const [body, encoding] = [Buffer.concat(pieces), headers["content-encoding"] ?? "none"];
      server.received = { url, encoding, media: headers["content-type"], body: encoding === "gzip" ? zlib.gunzipSync(body) : body };
      const { status, extra, answer } = server.reply;
      response.writeHead(status, { "content-type": "application/json", ...extra }).end(JSON.stringify(answer));
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** What the server received, and what the client says became of it. */
function send(client, server, signal, compression, bytes, reply) {
  server.received = null;
  server.reply = reply ?? { status: 200, extra: {}, answer: {} };
  // What the environment of this machine says about telemetry or proxies must not matter.
  const own = ([name]) => !name.startsWith("OTEL_") && !name.toLowerCase().endsWith("_proxy");
  const env = Object.fromEntries(Object.entries(process.env).filter(own));
  const endpoint = `http://127.0.0.1:${server.address().port}`;
  return new Promise((resolve, reject) => {
    const options = { env, stdio: ["pipe", "pipe", "inherit"], timeout: CLIENT_TIMEOUT_MS };
    const child = spawn(client, [signal, endpoint, compression], options);
    let out = "";
    child.stdout.on("data", (text) => (out += text));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code !== 0) return reject(new Error(`the client ended with code ${code}`));
      resolve({ received: server.received, outcome: JSON.parse(out).outcome });
    });
    child.stdin.on("error", () => {}); // a client that ends early says so by its code
    child.stdin.end(bytes);
  });
}

function allFields(type, known) {
  for (const field of type.fieldsArray) {
    const name = `${type.fullName}.${field.name}`;
    if (known.has(name)) continue;
    known.add(name);
    if (field.resolve().resolvedType instanceof protobuf.Type) allFields(field.resolvedType, known);
  }
  return known;
}

async function checkRequest({ client, server, root }, signal, compression) {
  const type = requestType(root, signal);
  const seen = new Set();
  const sent = type.encode(type.fromObject(filled(type, 0, 0, seen))).finish();
  const unset = [...allFields(type, new Set())].filter((name) => !seen.has(name));
  ensure(unset.length === 0, `never set: ${unset}`);

  const { received, outcome } = await send(client, server, signal, compression, sent);
  const meant = { url: SIGNALS[signal][0], encoding: compression, media: "application/json" };
  for (const [name, value] of Object.entries(meant)) {
    ensure(received[name] === value, `${name} is ${show(received[name])}, expected ${show(value)}`);
  }
  ensure("delivered" in outcome && outcome.delivered === null, show(outcome));
  // As bytes: one NaN equals another there, and 0 is not -0.
  const arrived = type.encode(parse(received.body, type)).finish();
  ensure(Buffer.compare(arrived, sent) === 0, "what was read differs from what was sent");
  return `${seen.size} fields in ${received.body.length} bytes`;
}

async function checkAnswers({ client, server, root }, signal) {
  const type = requestType(root, signal);
  const bytes = type.encode(type.fromObject(filled(type, 0, 0, new Set()))).finish();
  const answered = async (status, extra, answer) =>
    (await send(client, server, signal, "none", bytes, { status, extra, answer })).outcome;
  const partialSuccess = { [SIGNALS[signal][3]]: 2, errorMessage: "too old: ßø" };
  const rejected = await answered(200, {}, { partialSuccess });
  ensure(show(rejected) === show({ rejected: [2, "too old: ßø"] }), show(rejected));
  const refused = await answered(503, { "retry-after": "7" }, { code: 14, message: "not now: ßø" });
  ensure(refused.retryable?.[0] === 7 && refused.retryable[1].includes("not now: ßø"), show(refused));
  return "a partial rejection and a refusal are understood";
}

/** The reader must refuse what is not OTLP/JSON, or a passing run means nothing. */
function selfTest(root) {
  const type = requestType(root, "traces");
  const span = (fields) => Buffer.from(`{"resourceSpans":[{"scopeSpans":[{"spans":[{${fields}}]}]}]}`);
  const read = parse(span('"traceId":"0a0b"'), type).resourceSpans[0].scopeSpans[0].spans[0];
  ensure(Buffer.from(read.traceId).toString("hex") === "0a0b", "an id is not read");
  const wrong = ['"traceId":"CgsM"', '"trace_id":"0a0b"', '"startTimeUnixNano":1', '"flags":"1"', '"kind":"SPAN_KIND_SERVER"', '"unknown":1'];
  for (const fields of wrong) {
    let taken = true;
    try {
      parse(span(fields), type);
    } catch {
      taken = false;
    }
    ensure(!taken, `${fields} was taken`);
  }
}

function requestType(root, signal) {
  const [, folder, name] = SIGNALS[signal];
  return root.lookupType(`opentelemetry.proto.collector.${folder}.v1.${name}`);
}

function load(protos) {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => (path.isAbsolute(target) ? target : path.join(protos, target));
  const services = Object.values(SIGNALS).map(([, folder]) => `opentelemetry/proto/collector/${folder}/v1/${folder}_service.proto`);
  return root.loadSync(services).resolveAll();
}

async function main() {
  const [client, protos] = process.argv.slice(2);
  ensure(client && protos, "usage: node check.js CLIENT PROTOS");
  const root = load(path.resolve(protos));
  selfTest(root);
  const server = await startServer();
  const bench = { client, server, root };
  const checks = [];
  for (const signal of Object.keys(SIGNALS)) {
    for (const compression of ["none", "gzip"]) {
      checks.push([`${signal}, ${compression}`, () => checkRequest(bench, signal, compression)]);
    }
    checks.push([`${signal}, answers`, () => checkAnswers(bench, signal)]);
  }
  let failed = 0;
  for (const [name, check] of checks) {
    // One failure must not hide the others.
    const outcome = await check().catch((error) => {
      failed += 1;
      return `FAILED\n    ${error}`;
    });
    console.log(`interop js: ${name}: ${outcome}`);
  }
  server.close();
  server.closeAllConnections();
  if (failed > 0) throw new Error(`${failed} of ${checks.length} checks failed`);
  console.log(`interop js: all ${checks.length} checks hold`);
}

main().catch((error) => {
  console.error(`interop js: ${error.message}`);
  process.exitCode = 1;
});
