//! Through a socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::{Options, Synthetic};
use super::*;

async fn send(provider: &Synthetic, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(provider.addr()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: api.birch.example\r\nAuthorization: Bearer birch-token\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

fn date_ms(head: &str) -> i64 {
    let date = head.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
    chrono::DateTime::parse_from_rfc2822(date).unwrap().timestamp_millis()
}

#[tokio::test]
async fn the_date_header_is_real_time_plus_advances_plus_skew() {
    let provider = Synthetic::start(documented("birch"), Options::default()).await.unwrap();
    let real = chrono::Utc::now().timestamp_millis();
    let (head, body) = send(&provider, "GET", "/v1/me", "").await;
    assert!(head.starts_with("http/1.1 200") && body == "{\"account\":\"acme\"}", "{head} {body}");
    assert!((date_ms(&head) - real).abs() < 5_000);
    send(&provider, "POST", "/_fake/clock", r#"{"advance_ms":7200000}"#).await;
    send(&provider, "POST", "/_fake/faults", r#"{"knobs":{"clock_skew_ms":-60000}}"#).await;
    let (head, _) = send(&provider, "GET", "/v1/people", "").await;
    assert!((date_ms(&head) - real - 7_140_000).abs() < 5_000);
    provider.stop().await;
}

#[tokio::test]
async fn faults_that_are_asked_for_come_and_go() {
    let provider = Synthetic::start(documented("birch"), Options::default()).await.unwrap();
    let faults = r#"{"inject":[{"kind":"status","status":503,"retry_after":7},{"kind":"empty"},{"kind":"malformed"},
        {"kind":"html"},{"kind":"timeout","ms":20}]}"#;
    send(&provider, "POST", "/_fake/faults", faults).await;
    let (head, _) = send(&provider, "GET", "/v1/people", "").await;
    assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: 7"));
    let (head, body) = send(&provider, "GET", "/v1/people", "").await;
    assert!(head.starts_with("http/1.1 200") && body.is_empty());
    let (_, body) = send(&provider, "GET", "/v1/people", "").await;
    assert!(!body.is_empty() && serde_json::from_str::<Json>(&body).is_err());
    let (head, body) = send(&provider, "GET", "/v1/people", "").await;
    assert!(head.starts_with("http/1.1 200") && body.starts_with("<!DOCTYPE"));
    assert!(send(&provider, "GET", "/v1/people", "").await.0.starts_with("http/1.1 504"));
    assert!(serde_json::from_str::<Json>(&send(&provider, "GET", "/v1/people", "").await.1).is_ok());
    let stats: Json = serde_json::from_str(&send(&provider, "GET", "/_fake/stats", "").await.1).unwrap();
    assert_eq!(stats["total"]["statuses"], json!({ "200": 4, "503": 1, "504": 1 }));
}

#[tokio::test]
async fn data_changes_by_itself_until_it_is_paused() {
    let options = Options { change_every: Some(std::time::Duration::from_millis(2)), ..Options::default() };
    let provider = Synthetic::start(documented("birch"), options).await.unwrap();
    let truth = async || send(&provider, "GET", "/_fake/truth?object=people", "").await.1;
    let before = truth().await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    send(&provider, "POST", "/_fake/pause", "").await;
    let paused = truth().await;
    assert_ne!(before, paused);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(paused, truth().await);
}
