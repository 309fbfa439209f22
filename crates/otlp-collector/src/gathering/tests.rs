//! What everybody is told when requests went together.

use otlp_core::Signal;

use super::*;

/// A request of so many spans, each of them empty.
pub(crate) fn payload(spans: usize) -> Payload {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message as _;

    let scope = ScopeSpans { spans: vec![Span::default(); spans], ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
    Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap()
}

/// Requests of so many items each, put together and cut, and those who wait for them.
fn gather(sizes: &[usize], max: usize) -> (Vec<Part<()>>, Vec<oneshot::Receiver<Outcome>>) {
    let mut gathered = Gathered::default();
    let add = |size: &usize| {
        let (reply, answer) = oneshot::channel();
        gathered.add(Batch::without_ticket(payload(*size)), (), Some(reply));
        answer
    };
    let answers = sizes.iter().map(add).collect();
    assert_eq!(gathered.items(), sizes.iter().sum::<usize>());
    (gathered.into_parts(SplitLimit { items: max, ..SplitLimit::NONE }), answers)
}

fn busy() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"))
}

fn told(answer: &mut oneshot::Receiver<Outcome>) -> Option<Outcome> {
    answer.try_recv().ok()
}

fn is_delivered(outcome: Option<&Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Delivered { .. }))
}

#[test]
fn everybody_is_told_the_worst_of_the_parts_that_have_items_of_his() {
    let (parts, mut answers) = gather(&[4, 0, 4, 4], 6);
    let sizes: Vec<_> = parts.iter().map(|part| part.payload().items()).collect();
    assert_eq!(sizes, [6, 6]);
    let mut parts = parts.into_iter();
    assert_eq!(parts.next().unwrap().end(&Outcome::delivered(), 6), 0);
    assert!(is_delivered(told(&mut answers[0]).as_ref()));
    assert!(is_delivered(told(&mut answers[1]).as_ref()));
    assert!(told(&mut answers[2]).is_none(), "the half of its items are elsewhere");
    let repeatable = parts.next().unwrap().end(&busy(), 0);
    assert_eq!(repeatable, 2, "two of its items have arrived, and it will send all again");
    for answer in &mut answers[2..] {
        assert!(matches!(told(answer), Some(Outcome::Retryable { .. })));
    }
}

#[test]
fn rejected_items_are_told_once_and_to_nobody_more_than_he_has_sent() {
    let (parts, mut answers) = gather(&[2, 3, 4], 100);
    let outcome = Outcome::partly_rejected(4, "no".to_owned());
    assert_eq!(parts.into_iter().next().unwrap().end(&outcome, 9), 0);
    let told: Vec<_> = answers.iter_mut().filter_map(told).collect();
    assert!(matches!(told[0], Outcome::PartlyRejected { rejected: 2, .. }));
    assert!(matches!(told[1], Outcome::PartlyRejected { rejected: 2, .. }));
    let Outcome::Delivered { warning: Some(warning), .. } = &told[2] else { panic!("{told:?}") };
    assert_eq!(warning, "others of the same batch were rejected: no");
}

#[test]
fn what_arrived_for_one_who_has_gone_may_come_again() {
    let (parts, mut answers) = gather(&[2, 3], 100);
    answers.truncate(1);
    assert_eq!(parts.into_iter().next().unwrap().end(&Outcome::delivered(), 5), 3);
    assert!(is_delivered(told(&mut answers[0]).as_ref()));
}

#[test]
fn what_is_put_back_is_answered_for_with_what_it_goes_into_later() {
    let (mut parts, mut answers) = gather(&[3, 3], 4);
    let rest = parts.pop().unwrap();
    assert_eq!(parts.pop().unwrap().end(&Outcome::delivered(), 4), 0);
    assert!(told(&mut answers[1]).is_none());
    let mut again = Gathered::default();
    again.put_back(rest);
    again.add(Batch::without_ticket(payload(1)), (), None);
    let part = again.into_parts(SplitLimit::NONE).pop().unwrap();
    assert_eq!(part.payload().items(), 3);
    assert_eq!(part.end(&Outcome::delivered(), 3), 0);
    assert!(is_delivered(told(&mut answers[1]).as_ref()));
}

#[test]
fn a_part_that_is_dropped_leaves_nobody_waiting() {
    let (mut parts, mut answers) = gather(&[3, 3], 4);
    drop(parts.pop());
    assert_eq!(parts.pop().unwrap().end(&Outcome::delivered(), 4), 0);
    assert!(is_delivered(told(&mut answers[0]).as_ref()));
    assert_eq!(answers[1].try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
}
