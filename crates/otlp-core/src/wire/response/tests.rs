use super::*;

fn retry_info(duration: &[u8]) -> Vec<u8> {
    let mut status = Vec::new();
    put_message(&mut status, key(3, LEN), |any| {
        put_len(any, key(1, LEN), b"type.googleapis.com/google.rpc.RetryInfo");
        put_message(any, key(2, LEN), |info| put_len(info, key(1, LEN), duration));
    });
    status
}

fn delay(seconds: i64, nanos: i32) -> Option<Duration> {
    let mut out = Vec::new();
    put_varint_non_zero(&mut out, key(1, VARINT), seconds.cast_unsigned());
    put_varint_non_zero(&mut out, key(2, VARINT), i64::from(nanos).cast_unsigned());
    decode_status(&retry_info(&out)).unwrap().retry_delay
}

// W10, W11
#[test]
fn an_empty_partial_success_is_full_success() {
    for response in [&[][..], &[0x0a, 0], &[0x0a, 2, 8, 0], &[0x10, 1]] {
        assert_eq!(decode_partial_success(Signal::Traces, response), Ok(None));
    }
    assert!(encode_response(None).is_empty());
}

#[test]
fn a_warning_has_a_message_and_no_count() {
    let warning = PartialSuccess { rejected: 0, message: "use TLS".into() };
    let response = encode_response(Some(&warning));
    assert_eq!(decode_partial_success(Signal::Metrics, &response), Ok(Some(warning)));
}

#[test]
fn a_response_that_is_none_is_refused_with_the_field_at_fault() {
    let refused = decode_partial_success(Signal::Logs, &[0x0a, 3, 0x12, 1, 0xff]);
    let message = "ExportLogsPartialSuccess";
    assert_eq!(refused, Err(WireError::InvalidUtf8 { message, field: 2, offset: 4 }));
    assert!(decode_partial_success(Signal::Logs, b"<html>").is_err());
    assert!(decode_status(b"<html>").is_err());
}

#[test]
fn a_status_survives_the_wire() {
    for retry_delay in [None, Some(Duration::ZERO), Some(Duration::new(7, 250_000_000))] {
        let status = Status { code: 8, message: "slow down".into(), retry_delay };
        assert_eq!(decode_status(&status.encode()), Ok(status));
    }
    let negative = Status { code: -1, ..Status::default() };
    assert_eq!(decode_status(&negative.encode()), Ok(negative));
}

#[test]
fn hostile_delays_are_read_without_a_panic() {
    assert_eq!(delay(1, 500_000_000), Some(Duration::from_millis(1_500)));
    assert_eq!(delay(-1, 0), Some(Duration::ZERO));
    assert_eq!(delay(0, -1), Some(Duration::ZERO));
    assert_eq!(delay(i64::MIN, i32::MIN), Some(Duration::ZERO));
    assert_eq!(delay(1, i32::MAX), Some(Duration::new(3, 147_483_647)));
    assert_eq!(delay(1, -1), Some(Duration::from_nanos(999_999_999)));
    assert_eq!(delay(i64::MAX, i32::MAX), Some(Duration::new(i64::MAX as u64 + 2, 147_483_647)));
}

#[test]
fn the_longest_delay_that_protobuf_has_is_the_longest_written() {
    let status = Status { retry_delay: Some(Duration::MAX), ..Status::default() };
    let read = decode_status(&status.encode()).unwrap().retry_delay.unwrap();
    assert_eq!(read.as_secs(), DURATION_SECONDS_MAX);
}

#[test]
fn only_retry_info_is_a_delay() {
    let mut status = Vec::new();
    put_message(&mut status, key(3, LEN), |any| {
        put_len(any, key(1, LEN), b"type.googleapis.com/google.rpc.BadRequest");
        put_len(any, key(2, LEN), &[0x0a, 2, 8, 5]);
    });
    assert_eq!(decode_status(&status).unwrap().retry_delay, None);
    status.extend(retry_info(&[8, 5]));
    assert_eq!(decode_status(&status).unwrap().retry_delay, Some(Duration::from_secs(5)));
    // A broken one leaves the rest of the status readable.
    let broken = [&[8, 14][..], &retry_info(&[0x0f])].concat();
    assert_eq!(decode_status(&broken), Ok(Status { code: 14, ..Status::default() }));
}

#[test]
fn messages_are_cut_at_a_character() {
    let partial = PartialSuccess { rejected: 1, message: "€".repeat(1_000) };
    let read = decode_partial_success(Signal::Traces, &encode_response(Some(&partial)));
    let message = read.unwrap().unwrap().message;
    assert_eq!(message.len(), 1023);
    assert!(partial.message.starts_with(&message));
}
