//! Answers that are too large, too slow, or not whole never reach a connector.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::stub::{Reply, Stub, reply};
use super::*;
use crate::kit::cassette::FailureKind;
use crate::kit::cassette::record::Recorder;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Sends one GET to a stub that always answers so.
async fn answer_to(reply: Reply, change: impl FnOnce(&mut Limits)) -> (Result<Response, HttpError>, usize) {
    let stub = Stub::start(move |_| reply.clone()).await;
    let world = World::bearer().route("api.acme.test", &stub).limits(|limits| limits.tries = 2).limits(change);
    let answer = world.session().await.send(get("https://api.acme.test/")).await;
    (answer, stub.asked().len())
}

fn late(pieces: &[(u64, &str)]) -> Reply {
    pieces.iter().map(|(ms, text)| (Duration::from_millis(*ms), text.as_bytes().to_vec())).collect()
}

#[tokio::test]
async fn a_compressed_body_arrives_decoded_and_without_its_framing() {
    let (answer, _) =
        answer_to(reply(200, &[("content-encoding", "gzip"), ("date", "today")], gzip(b"hello")), |_| {}).await;
    let answer = answer.unwrap();
    assert_eq!(&answer.body[..], b"hello");
    assert_eq!(header(&answer, "date"), Some("today"));
    assert_eq!((header(&answer, "content-encoding"), header(&answer, "content-length")), (None, None));
}

#[tokio::test]
async fn a_gzip_bomb_is_too_large_and_asked_for_once() {
    let bomb = reply(200, &[("content-encoding", "gzip")], gzip(&vec![0; 64 << 20]));
    let (answer, times) = answer_to(bomb, |_| {}).await;
    assert!(matches!(answer, Err(HttpError::TooLarge(_))), "{answer:?}");
    assert_eq!(times, 1);
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_too_large_whether_announced_or_not() {
    let body = "x".repeat(3000);
    let announced = reply(200, &[], &body);
    let chunked = late(&[
        (0, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        (0, &format!("bb8\r\n{body}\r\n0\r\n\r\n")),
    ]);
    for answer in [announced, chunked] {
        let (answer, _) = answer_to(answer, |limits| limits.response_body_bytes = 2999).await;
        assert!(matches!(&answer, Err(HttpError::TooLarge(text)) if text.contains("smaller page")), "{answer:?}");
    }
}

#[tokio::test]
async fn headers_beyond_the_cap_are_too_large() {
    let (answer, _) = answer_to(reply(200, &[("x-long", &"y".repeat(40_000))], ""), |_| {}).await;
    assert!(matches!(answer, Err(HttpError::TooLarge(_))), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again_and_then_truncated() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"results\": [1, 2",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"res\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwrong framing",
    ] {
        let (answer, times) = answer_to(late(&[(0, cut)]), |_| {}).await;
        assert!(matches!(answer, Err(HttpError::Truncated(_))), "{answer:?}");
        assert_eq!(times, 2, "{cut}");
    }
}

#[tokio::test]
async fn a_body_that_broke_off_once_arrives_whole_the_second_time() {
    let stub = Stub::start(|asked| match asked.nth {
        0 => late(&[(0, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")]),
        _ => reply(200, &[], "whole"),
    })
    .await;
    let session = World::bearer().route("api.acme.test", &stub).session().await;
    assert_eq!(&session.send(get("https://api.acme.test/")).await.unwrap().body[..], b"whole");
    assert_eq!(session.stats().retries, 1);
}

#[tokio::test]
async fn nested_encodings_are_not_unpacked() {
    let twice = gzip(&gzip(b"x"));
    for headers in
        [&[("content-encoding", "gzip, gzip")][..], &[("content-encoding", "gzip"), ("content-encoding", "gzip")]]
    {
        let (answer, times) = answer_to(reply(200, headers, &twice), |_| {}).await;
        assert!(matches!(answer, Err(HttpError::Truncated(_))), "{answer:?}");
        assert_eq!(times, 1);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out() {
    let (answer, times) = answer_to(late(&[(3000, "HTTP/1.1 200 OK\r\n\r\n")]), |limits| {
        limits.first_byte = Duration::from_millis(80);
    })
    .await;
    assert!(matches!(answer, Err(HttpError::Timeout(_))), "{answer:?}");
    assert_eq!(times, 2);
}

#[tokio::test]
async fn a_gap_in_a_body_times_out() {
    let stalling = late(&[(0, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"), (3000, "defghi")]);
    let (answer, _) = answer_to(stalling, |limits| limits.read_gap = Duration::from_millis(80)).await;
    assert!(matches!(answer, Err(HttpError::Timeout(_))), "{answer:?}");
}

#[tokio::test]
async fn a_body_in_drops_is_given_up_although_it_never_stalls() {
    let mut drops = vec![(0, "HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n")];
    drops.extend([(20, "x"); 400]);
    let start = std::time::Instant::now();
    let (answer, _) = answer_to(late(&drops), |limits| {
        limits.speed_window = Duration::from_millis(200);
        limits.tries = 1;
    })
    .await;
    assert!(matches!(&answer, Err(HttpError::Timeout(text)) if text.contains("slowly")), "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_connector_can_shorten_its_time_and_not_lengthen_it() {
    let stub = Stub::start(|_| late(&[(2000, "HTTP/1.1 200 OK\r\n\r\n")])).await;
    let world =
        World::bearer().route("api.acme.test", &stub).limits(|limits| limits.total = Duration::from_millis(300));
    let session = world.session().await;
    for timeout_ms in [Some(50), None, Some(60_000)] {
        let start = std::time::Instant::now();
        let answer = session.send(Request { timeout_ms, ..get("https://api.acme.test/") }).await;
        assert!(matches!(answer, Err(HttpError::Timeout(_))), "{answer:?}");
        assert!(start.elapsed() < Duration::from_millis(1000));
    }
}

#[tokio::test]
async fn a_request_whose_time_is_over_is_written_down_as_well() {
    let stub = Stub::start(|_| late(&[(2000, "HTTP/1.1 200 OK\r\n\r\n")])).await;
    let world = World::bearer().route("api.acme.test", &stub);
    let recorder = Arc::new(Recorder::default());
    let spec = SessionSpec { tape: Some(Arc::clone(&recorder) as _), ..world.spec() };
    let session = world.gate().session(spec).await.unwrap();
    let url = format!("https://api.acme.test/?q={CANARY}");
    let answer = session.send(Request { timeout_ms: Some(50), ..get(&url) }).await;
    assert!(matches!(answer, Err(HttpError::Timeout(_))), "{answer:?}");
    let exchange = recorder.take().pop().unwrap();
    assert_eq!(exchange.request.url, "https://api.acme.test/?q=[redacted]");
    assert_eq!(exchange.failure.unwrap().kind, FailureKind::Timeout);
}
