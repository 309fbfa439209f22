use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use super::*;

const TRACES: Message = Message::Request(Signal::Traces);
const LOGS: Message = Message::Request(Signal::Logs);
const METRICS: Message = Message::Request(Signal::Metrics);

fn text_of(message: Message, bytes: &[u8]) -> String {
    let mut text = Vec::new();
    write(message, bytes, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// A request with one span of these fields, in JSON.
fn span(fields: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#)
}

fn read_span(fields: &str) -> Result<opentelemetry_proto::tonic::trace::v1::Span, JsonError> {
    let bytes = read(TRACES, span(fields).as_bytes())?;
    let mut request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    Ok(request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0))
}

/// What is wrong with a span of these fields.
fn error(fields: &str) -> String {
    read_span(fields).unwrap_err().to_string()
}

/// JSON whose names, types and order are those of the writer comes out as it went in.
#[test]
fn what_is_in_the_form_of_the_writer_comes_back_unchanged() {
    let everything = [
        (
            TRACES,
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a \"shop\"\n"}}],"droppedAttributesCount":1,"entityRefs":[{"type":"service","idKeys":["service.name","x"],"schemaUrl":"","descriptionKeys":[]}]},"scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"a=b","parentSpanId":"eee19b7ec3c1b173","name":"I'm a span","kind":2,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"18446744073709551615","attributes":[{"key":"int","value":{"intValue":"-9223372036854775808"}},{"key":"list","value":{"arrayValue":{"values":[{"boolValue":true},{"boolValue":false},{}]}}},{"key":"map","value":{"kvlistValue":{"values":[{"key":"bytes","value":{"bytesValue":"AP8+Pw=="}}]}}}],"droppedAttributesCount":2,"events":[{"timeUnixNano":"1","name":"e"},{"timeUnixNano":"2","name":"f"}],"droppedEventsCount":3,"links":[{"traceId":"00","flags":768}],"droppedLinksCount":4,"status":{"message":"no","code":2},"flags":257}],"schemaUrl":"https://a"}],"schemaUrl":"https://b"},{}]}"#,
        ),
        (
            LOGS,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","severityNumber":10,"severityText":"Information","body":{"doubleValue":-0.5},"attributes":[{"key":"k","value":{"stringValue":""}}],"droppedAttributesCount":1,"flags":1,"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","observedTimeUnixNano":"2","eventName":"browser.page_view"}]}]}]}"#,
        ),
        (
            METRICS,
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"g","unit":"1","gauge":{"dataPoints":[{"timeUnixNano":"3","asDouble":"NaN"},{"timeUnixNano":"3","asInt":"-5","flags":1}]}},{"name":"s","sum":{"dataPoints":[{"asDouble":5.5,"exemplars":[{"timeUnixNano":"4","asInt":"7","spanId":"eee19b7ec3c1b174","traceId":"5b8efff798038103d269b633813fc60c","filteredAttributes":[{"key":"k","value":{"boolValue":true}}]}]}],"aggregationTemporality":2,"isMonotonic":true}},{"name":"h","histogram":{"dataPoints":[{"count":"2","sum":0.0,"bucketCounts":["1","1"],"explicitBounds":[1.0,"Infinity"],"min":0.0,"max":"-Infinity"}],"aggregationTemporality":1}},{"name":"e","exponentialHistogram":{"dataPoints":[{"count":"3","scale":-2,"zeroCount":"1","positive":{"offset":-1,"bucketCounts":["0","18446744073709551615"]},"negative":{"offset":1},"zeroThreshold":0.25}],"aggregationTemporality":2}},{"name":"q","summary":{"dataPoints":[{"count":"1","sum":2.0,"quantileValues":[{"quantile":0.5,"value":1e+300}]}]},"metadata":[{"key":"a"}]}]}]}]}"#,
        ),
        (
            Message::Response(Signal::Traces),
            r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"}}"#,
        ),
        (Message::Response(Signal::Logs), r#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#),
        (Message::Response(Signal::Metrics), r#"{"partialSuccess":{"rejectedDataPoints":"3"}}"#),
        (Message::Status, r#"{"code":3,"message":"bad"}"#),
    ];
    for (message, text) in everything {
        let bytes = read(message, text.as_bytes()).unwrap();
        assert_eq!(text_of(message, &bytes), text);
        // The oracle reads it as well.
        match message {
            TRACES => drop(ExportTraceServiceRequest::decode(&bytes[..]).unwrap()),
            LOGS => drop(ExportLogsServiceRequest::decode(&bytes[..]).unwrap()),
            METRICS => drop(ExportMetricsServiceRequest::decode(&bytes[..]).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn ids_are_hex_in_any_case_and_other_bytes_base64_of_any_kind() {
    // J1, J2, J9
    let id = vec![0x5b, 0x8e, 0xff, 0xf7];
    for text in ["5b8efff7", "5B8EFFF7", "5b8EfFf7"] {
        assert_eq!(read_span(&format!(r#""traceId":"{text}""#)).unwrap().trace_id, id);
    }
    assert_eq!(read_span(r#""traceId":"""#).unwrap().trace_id, b"");
    for wrong in ["5b8", "5g", "W477", "é"] {
        let error = error(&format!(r#""traceId":"{wrong}""#));
        assert!(error.contains("hexadecimal digits in pairs (`traceId`)"), "{error}");
    }
    let value = |text: &str| {
        read_span(&format!(r#""attributes":[{{"key":"k","value":{{"bytesValue":"{text}"}}}}]"#))
    };
    for text in ["+/8=", "+/8", "-_8=", "-_8"] {
        assert_eq!(value(text).unwrap(), value("+/8=").unwrap());
    }
    assert!(value("+/8!").unwrap_err().to_string().contains("base64 (`bytesValue`)"));
}

#[test]
fn enums_are_numbers_and_numbers_may_be_quoted() {
    // J3, J6, J7
    assert!(error(r#""kind":"SPAN_KIND_SERVER""#).contains("the number of an enum (`kind`)"));
    assert_eq!(read_span(r#""kind":99"#).unwrap().kind, 99);
    for text in ["7", "\"7\"", "7.0", "\"7e0\"", "70e-1"] {
        let span = read_span(&format!(r#""startTimeUnixNano":{text},"flags":{text}"#)).unwrap();
        assert_eq!((span.start_time_unix_nano, span.flags), (7, 7), "{text}");
    }
    for wrong in ["-1", "7.5", "\"x\"", "\" 7\"", "true", "[7]", "{}", "\"NaN\"", "1e300", "\"\""] {
        let error = error(&format!(r#""startTimeUnixNano":{wrong}"#));
        assert!(error.contains("(`startTimeUnixNano`)"), "{wrong}: {error}");
        assert!(error.contains("line 1 column"), "{error}");
    }
    assert!(error(r#""flags":4294967296"#).contains("32 bits"));
    assert!(error(r#""startTimeUnixNano":18446744073709551616"#).contains("startTimeUnixNano"));
}

#[test]
fn unknown_names_and_nulls_are_passed_over() {
    // J4, J5, J7
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let span = read_span(&format!(
        r#""new":{{"a":[1,{{"b":null}}]}},"deep":{deep},"trace_state":"x","name":null,"events":null,"status":null,"flags":null"#
    ))
    .unwrap();
    assert_eq!(span, opentelemetry_proto::tonic::trace::v1::Span::default());
    assert!(error(r#""events":[null]"#).contains("null in `events`"));
}

#[test]
fn what_stands_twice_or_excludes_another_is_refused() {
    assert!(error(r#""name":"a","name":"b""#).contains("`name` stands twice"));
    let both = r#""attributes":[{"key":"k","value":{"stringValue":"a","intValue":1}}]"#;
    assert!(error(both).contains("`stringValue` and `intValue` exclude each other"));
    assert!(
        read_span(r#""attributes":[{"key":"k","value":{"stringValue":null,"intValue":1}}]"#)
            .is_ok()
    );
}

#[test]
fn what_is_not_a_message_is_an_error_with_its_place() {
    for (text, said) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("[]", "an object (ExportTraceServiceRequest)"),
        ("{} {}", "trailing characters"),
        (r#"{"resourceSpans":{}}"#, "a list (`resourceSpans`)"),
        (r#"{"resourceSpans":[7]}"#, "an object (ResourceSpans)"),
        ("{\"resourceSpans\":\n[\"\u{1}\"]}", "line 2"),
    ] {
        let error = read(TRACES, text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert_eq!(read(TRACES, b"null").unwrap(), b"");
    // A long text from outside is cut.
    let long = span(&format!(r#""flags":"{}""#, "x".repeat(10_000)));
    assert!(read(TRACES, long.as_bytes()).unwrap_err().to_string().len() < 400);
}

#[test]
fn depth_has_the_same_bound_in_both_directions() {
    let nested = |levels: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#, "]}}");
        let value = format!("{}{{}}{}", open.repeat(levels), close.repeat(levels));
        format!(r#""attributes":[{{"key":"k","value":{value}}}]"#)
    };
    // Request, resource, scope, span, attribute, value; then two messages for each level.
    for levels in 0..60 {
        let text = span(&nested(levels));
        match read(TRACES, text.as_bytes()) {
            Ok(bytes) => assert_eq!(text_of(TRACES, &bytes), text),
            Err(error) => {
                assert!(levels > 46 && error.to_string().contains("nested deeper"), "{error}");
            }
        }
    }
    assert!(read(TRACES, span(&nested(60)).as_bytes()).is_err());
    assert!(read(TRACES, span(&nested(1_000_000)).as_bytes()).is_err());
}

/// Bytes as no encoder writes them, and protobuf allows.
#[test]
fn pieces_that_lie_apart_are_put_together_as_prost_does() {
    let field =
        |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8], content].concat();
    let request = |span: &[u8]| field(1, &field(2, &field(2, span)));
    let event = |name: &[u8]| field(11, &field(2, name));
    let status = |message: &[u8]| field(15, &field(2, message));
    let spans = [
        // A list in two runs, and a text that stands twice.
        [event(b"a"), field(5, b"old"), event(b"b"), field(5, b"new")].concat(),
        // A message in two pieces.
        [status(b"why"), field(15, &[3 << 3, 2])].concat(),
        // Members of a oneof that replace each other, and merge.
        field(
            9,
            &field(
                2,
                &[field(1, b"text"), field(5, &field(1, b"")), field(5, &field(1, &[]))].concat(),
            ),
        ),
        field(9, &field(2, &[field(5, &field(1, b"")), field(1, b"text")].concat())),
        field(9, &field(2, &[field(5, &field(1, b"")), field(1, b"x"), field(5, b"")].concat())),
        // An unknown field between.
        [event(b"a"), field(14 + 1, b""), event(b"b")].concat(),
    ];
    for span in spans {
        let request = request(&span);
        let text = text_of(TRACES, &request);
        let ours = read(TRACES, text.as_bytes()).unwrap();
        let [ours, theirs] =
            [&ours, &request].map(|bytes| ExportTraceServiceRequest::decode(&bytes[..]).unwrap());
        assert_eq!(ours, theirs, "{text}");
    }
}

#[test]
fn bytes_that_are_not_the_message_are_an_error() {
    for bytes in [&b"\x0a"[..], b"\x08\x01", b"\x0a\x02\x1a\xff", b"\x0a\x03\x1a\x01\xff"] {
        assert!(write(TRACES, bytes, &mut Vec::new()).is_err(), "{bytes:?}");
    }
}

#[test]
fn every_number_comes_back_as_it_was() {
    let value = |number: f64| {
        let span =
            span(&format!(r#""attributes":[{{"key":"k","value":{{"doubleValue":{number:?}}}}}]"#));
        let bytes = read(TRACES, span.as_bytes()).unwrap();
        let mut request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        assert_eq!(text_of(TRACES, &bytes), span);
        let mut spans = request.resource_spans.remove(0).scope_spans.remove(0).spans;
        format!("{:?}", spans.remove(0).attributes.remove(0).value.unwrap().value.unwrap())
    };
    // Each of these is one unit off in a reader that is quick rather than right.
    for number in [0.947_473_286_009_698_7, 96.966_551_875_033_33, 9.123_463_128_000_001] {
        assert_eq!(value(number), format!("DoubleValue({number:?})"));
    }
}

#[test]
fn empty_lists_and_keys_are_written_for_readers_that_insist() {
    for (text, written) in [
        (
            r#"{"key":"a","value":{"arrayValue":{}}}"#,
            r#"{"key":"a","value":{"arrayValue":{"values":[]}}}"#,
        ),
        (
            r#"{"key":"a","value":{"kvlistValue":{"values":[{}]}}}"#,
            r#"{"key":"a","value":{"kvlistValue":{"values":[{"key":""}]}}}"#,
        ),
        (r#"{"value":{"boolValue":true}}"#, r#"{"value":{"boolValue":true},"key":""}"#),
    ] {
        let bytes = read(TRACES, span(&format!(r#""attributes":[{text}]"#)).as_bytes()).unwrap();
        assert_eq!(text_of(TRACES, &bytes), span(&format!(r#""attributes":[{written}]"#)));
    }
}
