use super::*;
use crate::wire::Elements;

#[test]
fn a_body_that_no_request_could_hold_is_reported_as_too_long_and_not_kept() {
    struct Many(usize);
    impl Elements for Many {
        fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
            let text = "x".repeat(1024 * 1024);
            (0..self.0).for_each(|_| f(Value::Str(&text)));
        }
    }
    let text = "x".repeat(65 * 1024 * 1024);
    let mut encoder = LogRecordEncoder::default();
    for body in [Value::Str(&text), Value::Array(&Many(65)), Value::Array(&Many(1000))] {
        encoder.set_body(body);
        assert!(encoder.sizes().item_len() > 1 << 40 && encoder.body.is_empty());
    }
    encoder.set_body(Value::Str("short"));
    assert_eq!(encoder.sizes().item_len(), encoder.encode().len() + 2, "the last body counts");
}

#[test]
fn a_body_of_ten_megabytes_is_kept_whole_and_its_memory_given_back() {
    let text = "x".repeat(10 * 1024 * 1024);
    let mut encoder = LogRecordEncoder::default();
    encoder.set_body(Value::Str(&text));
    assert!(matches!(encoder.body(), Some(AnyValueView::String(body)) if body == text));
    encoder.clear();
    assert!(encoder.body().is_none() && encoder.memory() <= BODY_BYTES_KEPT);
}

#[test]
fn elements_that_panic_leave_no_half_of_a_body() {
    struct Broken;
    impl Elements for Broken {
        fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
            f(Value::I64(1));
            panic!("not ours");
        }
    }
    let mut encoder = LogRecordEncoder::default();
    let set = std::panic::AssertUnwindSafe(|| encoder.set_body(Value::Array(&Broken)));
    std::panic::catch_unwind(set).unwrap_err();
    assert!(encoder.body().is_none() && encoder.encode().is_empty());
}

#[test]
fn invalid_ids_mean_no_trace() {
    // F7
    let mut encoder = LogRecordEncoder::default();
    let context = LogContext { trace_id: [0; 16], span_id: [1; 8], trace_flags: 1 };
    encoder.set_context(context);
    assert_eq!((encoder.context(), encoder.encode()), (None, Vec::new()));
    encoder.set_context(LogContext { trace_id: [1; 16], span_id: [0; 8], ..context });
    assert_eq!(encoder.encode().len(), 5 + 18, "the trace alone");
}
