use std::convert::Infallible;

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

fn rules(budget: usize, limit: usize) -> BodyRules {
    BodyRules {
        budget: Budget::new(budget),
        promises: Budget::new(budget / 4),
        limit,
        started: Instant::now(),
        timeout: Duration::from_secs(30),
        min_rate: 1024,
        rate_after: Duration::from_secs(10),
        wait: Duration::ZERO,
        retry_after: Duration::from_secs(1),
    }
}

/// Reads a body that comes in these pieces.
async fn read_pieces(pieces: &[&[u8]], length: Length, rules: &BodyRules) -> Result<Vec<u8>, Kind> {
    let frames: Vec<_> = pieces.iter().map(|piece| Bytes::copy_from_slice(piece)).collect();
    let frames = frames.into_iter().map(|data| Ok::<_, Infallible>(Frame::data(data)));
    let mut body = StreamBody::new(stream::iter(frames));
    let read = read(&mut body, length, rules).await;
    let (bytes, ticket) = read.map_err(|refusal| refusal.kind)?;
    assert!(ticket.bytes() >= bytes.capacity() && rules.budget.used() == ticket.bytes());
    Ok(bytes)
}

#[tokio::test]
async fn a_message_is_the_same_wherever_it_is_cut() {
    let rules = rules(1 << 20, 100);
    let frame = [&[0, 0, 0, 0, 20], [7; 20].as_slice()].concat();
    for first in 0..=frame.len() {
        for second in first..=frame.len() {
            let (start, rest) = frame.split_at(second);
            let pieces = [&start[..first], &start[first..], rest];
            let read = read_pieces(&pieces, Length::Framed, &rules).await;
            assert_eq!(read.as_deref(), Ok(frame.as_slice()));
            let read = read_pieces(&pieces[..2], Length::Framed, &rules).await;
            let whole = match second {
                0 => Err(Kind::Cardinality),
                25 => Ok(frame.clone()),
                _ => Err(Kind::Malformed),
            };
            assert_eq!(read, whole);
            let more = [pieces[0], pieces[1], pieces[2], b"x"];
            let read = read_pieces(&more, Length::Framed, &rules).await;
            assert_eq!(read, Err(Kind::Cardinality));
        }
    }
    assert_eq!(rules.budget.used(), 0);
}

#[tokio::test]
async fn a_limit_holds_to_the_byte_whatever_was_declared() {
    // Z3
    let rules = rules(1 << 20, 100);
    for length in [Length::Unknown, Length::Declared(50), Length::Declared(100)] {
        assert_eq!(read_pieces(&[&[1; 60], &[1; 40]], length, &rules).await, Ok(vec![1; 100]));
        let over = read_pieces(&[&[1; 60], &[1; 41]], length, &rules).await;
        assert_eq!(over, Err(Kind::TooLarge));
    }
    let declared = read_pieces(&[], Length::Declared(101), &rules).await;
    assert_eq!(declared, Err(Kind::TooLarge));
    let declared = read_pieces(&[], Length::Declared(u64::MAX), &rules).await;
    assert_eq!(declared, Err(Kind::TooLarge));
    let framed = read_pieces(&[&[0, 0, 0, 0, 101]], Length::Framed, &rules).await;
    assert_eq!(framed, Err(Kind::TooLarge));
}

#[tokio::test]
async fn a_promise_takes_no_more_than_a_share_of_the_budget() {
    let rules = rules(1 << 20, 1 << 20);
    let reading = Reading::start(Length::Declared(1 << 20), &rules).await.ok().unwrap();
    assert_eq!(rules.budget.used(), 1 << 16);
    drop(reading);
    let small = Reading::start(Length::Declared(5000), &rules).await.ok().unwrap();
    assert_eq!((rules.budget.used(), small.bytes.capacity()), (5000, 0));
}

#[test]
fn bytes_earn_time_up_to_that_of_the_request() {
    let rules = rules(0, 0);
    let seconds = |read| (rules.until(read) - rules.started).as_secs();
    assert_eq!((seconds(0), seconds(5 * 1024), seconds(1 << 30)), (10, 15, 30));
}

#[tokio::test]
async fn promises_of_many_leave_most_of_the_budget_to_those_who_bring_bytes() {
    let rules = rules(1 << 20, 1 << 20);
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting.push(Reading::start(Length::Declared(1 << 20), &rules).await.ok().unwrap());
    }
    assert_eq!(rules.budget.used(), 1 << 18, "a quarter");
    let mut honest = Reading::start(Length::Declared(600 << 10), &rules).await.ok().unwrap();
    assert!(honest.push(&vec![7; 600 << 10]).await.is_ok());
    let (bytes, ticket) = honest.finish().ok().unwrap();
    assert_eq!((bytes.len(), rules.promises.used()), (600 << 10, 1 << 18));
    drop((waiting, ticket));
    assert_eq!((rules.budget.used(), rules.promises.used()), (0, 0));
}
