//! Against a real server, which `cargo xtask test` starts. What no server on one machine does, refusing groups, is
//! played by a few lines of axum.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use aws_sdk_sqs::types::QueueAttributeName;
use axum::{Json, Router, http::StatusCode, routing::post};
use serde_json::{Value, json};

use super::*;
use crate::queue::{Outgoing, Sender};

const QUEUE: QueueName = QueueName::Retrieve;
const NOW: Duration = Duration::ZERO;

fn server() -> String {
    std::env::var("SYNCLINE_TEST_SQS")
        .expect("SYNCLINE_TEST_SQS is not set: run these tests with `cargo xtask test`, which starts an SQS server")
}

/// Options for two queues that no other test knows.
fn options(suffix: &str) -> SqsOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let moment = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let name = |queue| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        QueueRef::Name(format!("test-{queue}-{moment}-{next}{suffix}"))
    };
    let options = SqsOptions::new("eu-central-1", name("retrieve"), name("process"));
    SqsOptions { endpoint: Some(server()), create: true, visibility: Duration::from_secs(30), ..options }
}

async fn queue(options: SqsOptions) -> SqsQueue {
    SqsQueue::open(options).await.expect("the queues are made")
}

fn numbered(count: usize) -> Vec<Outgoing> {
    let message = |n| Outgoing { body: format!("message {n}"), group: "Kundin Ä".into(), dedup: format!("{n}") };
    (0..count).map(message).collect()
}

/// Receives until `count` messages have come, or gives up.
async fn receive_all(queue: &SqsQueue, count: usize, delete: bool) -> Vec<Delivery> {
    let mut received = Vec::new();
    for _ in 0..20 {
        let batch = queue.receive(QUEUE, BATCH, Duration::from_secs(1)).await.unwrap();
        assert!(batch.len() <= BATCH);
        if delete {
            queue.delete(QUEUE, &receipts(&batch)).await.unwrap();
        }
        received.extend(batch);
        if received.len() >= count {
            break;
        }
    }
    received
}

fn receipts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

#[tokio::test]
async fn twenty_five_messages_are_sent_received_and_deleted() {
    let queue = queue(options("")).await;
    assert_eq!(queue.send(QUEUE, &numbered(25)).await.unwrap(), (0..25).collect::<Vec<_>>());
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth { ready: 25, in_flight: 0, dead: 0 });
    assert_eq!(queue.depth(QueueName::Process).await.unwrap(), Depth::default());

    let received = receive_all(&queue, 25, false).await;
    let mut bodies: Vec<_> = received.iter().map(|delivery| delivery.body.clone()).collect();
    let mut expected: Vec<_> = numbered(25).into_iter().map(|message| message.body).collect();
    bodies.sort();
    expected.sort();
    assert_eq!(bodies, expected);
    assert!(received.iter().all(|delivery| delivery.attempts == 1));
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth { ready: 0, in_flight: 25, dead: 0 });

    queue.delete(QUEUE, &receipts(&received)).await.unwrap();
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn nothing_is_sent_received_or_deleted_when_nothing_is_asked() {
    let queue = queue(options("")).await;
    assert!(queue.send(QUEUE, &[]).await.unwrap().is_empty());
    assert!(queue.receive(QUEUE, 0, NOW).await.unwrap().is_empty());
    assert!(queue.receive(QUEUE, BATCH, NOW).await.unwrap().is_empty());
    queue.delete(QUEUE, &[]).await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_again_after_the_visibility_time() {
    let queue = queue(SqsOptions { visibility: Duration::from_secs(1), ..options("") }).await;
    queue.send(QUEUE, &numbered(1)).await.unwrap();
    let first = receive_all(&queue, 1, false).await;
    assert!(queue.receive(QUEUE, BATCH, NOW).await.unwrap().is_empty(), "it is invisible for a second");

    let again = receive_all(&queue, 1, false).await;
    assert_eq!(again[0].body, first[0].body);
    assert_eq!(again[0].attempts, 2);
    assert_ne!(again[0].receipt, first[0].receipt);
}

#[tokio::test]
async fn deleting_what_is_gone_is_no_error() {
    let queue = queue(SqsOptions { visibility: Duration::from_secs(1), ..options("") }).await;
    queue.send(QUEUE, &numbered(1)).await.unwrap();
    let stale = receive_all(&queue, 1, false).await;
    let fresh = receive_all(&queue, 1, false).await;
    queue.delete(QUEUE, &receipts(&stale)).await.unwrap();
    let twice = [receipts(&fresh), receipts(&fresh)].concat();
    queue.delete(QUEUE, &twice).await.unwrap();
    queue.delete(QUEUE, &twice).await.unwrap();
    queue.delete(QUEUE, &["never a receipt".to_owned()]).await.unwrap();
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn a_message_becomes_a_dead_letter_after_its_last_receive() {
    let options = SqsOptions { visibility: Duration::from_secs(1), max_receives: 2, ..options("") };
    let queue = queue(options).await;
    queue.send(QUEUE, &numbered(1)).await.unwrap();
    assert_eq!(receive_all(&queue, 1, false).await[0].attempts, 1);
    assert_eq!(receive_all(&queue, 1, false).await[0].attempts, 2);
    let third = queue.receive(QUEUE, BATCH, Duration::from_secs(3)).await.unwrap();
    assert!(third.is_empty(), "{third:?}");
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth { ready: 0, in_flight: 0, dead: 1 });
}

#[tokio::test]
async fn a_fifo_queue_keeps_order_and_drops_duplicates() {
    let queue = queue(options(".fifo")).await;
    let messages = numbered(25);
    queue.send(QUEUE, &messages).await.unwrap();
    queue.send(QUEUE, &messages).await.unwrap();
    let received: Vec<_> = receive_all(&queue, 25, true).await.into_iter().map(|delivery| delivery.body).collect();
    let sent: Vec<_> = messages.into_iter().map(|message| message.body).collect();
    assert_eq!(received, sent);
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn queues_that_exist_are_opened_again_and_set_up_anew() {
    let options = options("");
    queue(options.clone()).await;
    queue(SqsOptions { create: false, ..options.clone() }).await;
    let changed = SqsOptions { max_receives: 7, ..options };
    queue(changed.clone()).await;
    queue(SqsOptions { create: false, ..changed }).await;
}

#[tokio::test]
async fn a_queue_that_is_not_as_it_must_be_is_refused_with_what_to_do() {
    let refusal = async |options| {
        let error = SqsQueue::open(options).await.err().expect("the queue is refused");
        assert_eq!((error.queue, error.operation), (QUEUE, "open"));
        error.source.to_string()
    };
    let wanted = options("");
    let unmade = SqsOptions { create: false, ..wanted.clone() };
    let missing = refusal(unmade.clone()).await;
    assert!(missing.contains("does not exist in eu-central-1") && missing.contains("`create`"), "{missing}");
    let elsewhere = QueueRef::Url(format!("{}/000000000000/nowhere", server()));
    let missing = refusal(SqsOptions { retrieve: elsewhere, ..wanted.clone() }).await;
    assert!(missing.contains("only queues given by name"), "{missing}");

    let queue = queue(wanted).await;
    let receives = refusal(SqsOptions { max_receives: 9, ..unmade.clone() }).await;
    assert!(receives.contains("after 5 receives, the configuration says 9"), "{receives}");

    let bare = format!("{}-bare", unmade.retrieve);
    queue.client.create_queue().queue_name(&bare).send().await.unwrap();
    let bare = refusal(SqsOptions { retrieve: QueueRef::Name(bare), ..unmade }).await;
    assert!(bare.contains("no dead-letter queue"), "{bare}");
}

#[tokio::test]
async fn both_queues_must_differ() {
    let options = options("");
    let same = SqsOptions { process: options.retrieve.clone(), ..options };
    let error = SqsQueue::open(same).await.err().expect("one queue for both is refused");
    assert!(error.source.to_string().contains("they must differ"));
}

#[tokio::test]
async fn the_dead_letter_queue_keeps_its_messages_for_two_weeks() {
    let queue = queue(options("")).await;
    let url = &queue.retrieve.dead_letters;
    let request = queue.client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let attributes = request.send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes[&QueueAttributeName::MessageRetentionPeriod], "1209600");
}

#[tokio::test]
async fn a_server_without_fair_queues_is_sent_no_groups_after_the_first_refusal() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    async fn refuse_groups(body: String) -> (StatusCode, Json<Value>) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        let call: Value = serde_json::from_str(&body).unwrap();
        let entries = call["Entries"].as_array().unwrap();
        if entries.iter().any(|entry| entry.get("MessageGroupId").is_some()) {
            let refusal = json!({ "__type": "com.amazonaws.sqs#InvalidParameterValue", "message": "MessageGroupId" });
            return (StatusCode::BAD_REQUEST, Json(refusal));
        }
        let accepted = |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "d" });
        let accepted: Vec<_> = entries.iter().map(accepted).collect();
        (StatusCode::OK, Json(json!({ "Successful": accepted, "Failed": [] })))
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().route("/", post(refuse_groups))).await });

    let lane = |name| Lane {
        name,
        url: format!("{endpoint}/1/{name}"),
        dead_letters: String::new(),
        fifo: false,
        grouped: AtomicBool::new(true),
    };
    let options = SqsOptions { endpoint: Some(endpoint.clone()), ..options("") };
    let queue = SqsQueue {
        client: open::client(&options).await,
        retrieve: lane(QueueName::Retrieve),
        process: lane(QueueName::Process),
        visibility: options.visibility,
        wait: options.wait,
    };
    assert_eq!(queue.send(QUEUE, &numbered(3)).await.unwrap(), [0, 1, 2]);
    assert_eq!(CALLS.load(Ordering::Relaxed), 2, "refused once, then sent without groups");
    assert_eq!(queue.send(QUEUE, &numbered(3)).await.unwrap(), [0, 1, 2]);
    assert_eq!(CALLS.load(Ordering::Relaxed), 3, "the refusal is remembered");
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_that_names_queue_and_operation() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = SqsOptions { endpoint: Some(format!("http://{nobody}")), ..options("") };
    let error = SqsQueue::open(away).await.err().expect("nobody listens there");
    assert_eq!(error.to_string(), "queue retrieve: open failed");
}
