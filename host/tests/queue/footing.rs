//! A queue that jobs travel through, and what carries them there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use syncline::domain::ObjectId;
use syncline::queue::relay::relay;
use syncline::queue::sqs::{QueueRef, SqsOptions, SqsQueue};
use syncline::queue::{Bell, Delivery, EmbeddedQueue, Message, QueueName, Receiver};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::Db;

/// How long received messages stay invisible.
pub(super) const VISIBILITY: Duration = Duration::from_secs(2);
/// A poll that no case waits for: only the bell can be what woke somebody.
pub(super) const SELDOM: Duration = Duration::from_secs(600);

/// Stamps each case, an `async fn(Footing)`, for every footing.
macro_rules! on_every_footing {
    ($($case:ident),+ $(,)?) => {
        on_every_footing!(@ embedded_on_sqlite: $($case),+);
        on_every_footing!(@ embedded_on_postgres: $($case),+);
        on_every_footing!(@ sqs: $($case),+);
    };
    (@ $footing:ident: $($case:ident),+) => {
        mod $footing {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::queue::footing::Footing::$footing().await).await;
            })+
        }
    };
}
pub(super) use on_every_footing;

/// A store and the queue that its jobs come out of.
pub(super) struct Footing {
    pub(super) db: Db,
    pub(super) bell: Arc<Bell>,
    sqs: Option<Arc<SqsQueue>>,
}

impl Footing {
    pub(super) async fn embedded_on_sqlite() -> Self {
        Self { db: Db::sqlite().await, bell: Arc::default(), sqs: None }
    }

    pub(super) async fn embedded_on_postgres() -> Self {
        Self { db: Db::postgres().await, bell: Arc::default(), sqs: None }
    }

    pub(super) async fn sqs() -> Self {
        Self::sqs_named("").await
    }

    /// On queues whose names end like this.
    pub(super) async fn sqs_named(suffix: &str) -> Self {
        Self { db: Db::sqlite().await, bell: Arc::default(), sqs: Some(Arc::new(open(suffix).await)) }
    }

    /// The receiving end, and what carries the messages there for as long as the guard lives.
    pub(super) fn open(&self, poll: Duration) -> (Arc<dyn Receiver>, DropGuard) {
        let stop = CancellationToken::new();
        let Some(sqs) = &self.sqs else {
            let queue = EmbeddedQueue::new(self.db.store(), Arc::clone(&self.bell), poll, VISIBILITY);
            return (Arc::new(queue), stop.drop_guard());
        };
        for queue in [QueueName::Retrieve, QueueName::Process] {
            let (sender, bell) = (Arc::clone(sqs) as _, Arc::clone(&self.bell));
            tokio::spawn(relay(self.db.store(), sender, queue, bell, poll, stop.clone()));
        }
        (Arc::clone(sqs) as _, stop.drop_guard())
    }

    /// Dispatches so many new objects and rings.
    pub(super) async fn dispatch(&self, count: usize) -> Vec<ObjectId> {
        let customer = format!("c{}", self.db.count("customers").await);
        let objects = self.db.crowd(&customer, count).await;
        assert_eq!(self.db.dispatch().await, count as u64);
        self.bell.ring(QueueName::Retrieve);
        objects
    }
}

fn server() -> String {
    std::env::var("SYNCLINE_TEST_SQS")
        .expect("SYNCLINE_TEST_SQS is not set: run these tests with `cargo xtask test`, which starts an SQS server")
}

async fn open(suffix: &str) -> SqsQueue {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let moment = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = |queue: &str| QueueRef::Name(format!("case-{queue}-{moment}-{next}{suffix}"));
    let options = SqsOptions::new("eu-central-1", name("retrieve"), name("process"));
    let options = SqsOptions { endpoint: Some(server()), create: true, visibility: VISIBILITY, ..options };
    SqsQueue::open(options).await.expect("the queues are made")
}

/// Receives until so many messages have come, for ten seconds at most.
pub(super) async fn receive(queue: &dyn Receiver, name: QueueName, count: usize) -> Vec<Delivery> {
    let mut received = Vec::new();
    for _ in 0..10 {
        received.extend(queue.receive(name, 10, Duration::from_secs(1)).await.unwrap());
        if received.len() >= count {
            break;
        }
    }
    received
}

pub(super) fn receipts(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()
}

pub(super) fn objects_of(deliveries: &[Delivery]) -> Vec<ObjectId> {
    let object = |delivery: &Delivery| match Message::decode(&delivery.body).unwrap() {
        Message::Retrieve { object, .. } | Message::Process { object, .. } => object,
    };
    let mut objects: Vec<_> = deliveries.iter().map(object).collect();
    objects.sort();
    objects
}
