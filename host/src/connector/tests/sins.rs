//! Every sin ends as the class it should, and as nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{CallLimits, GuestLog, LogLevel};
use super::{context, hostile, shared};
use crate::domain::{CallError, Cursor, FaultKind, Page, ProviderError};

fn limits() -> CallLimits {
    CallLimits { cpu: Duration::from_millis(500), wall: Duration::from_secs(2), ..CallLimits::default() }
}

/// Sins that are faults: the class, and what its text says.
const FAULTS: [(&str, FaultKind, &str); 14] = [
    ("spin", FaultKind::Cpu, "used its 500 ms of CPU; in "),
    ("hog", FaultKind::Memory, "67108864 are allowed"),
    ("panic", FaultKind::Trap, "the cart has no horse; in hostile::sins::commit < "),
    ("deep-stack", FaultKind::Trap, "call stack exhausted"),
    ("deep-frames", FaultKind::Trap, "hostile::sins::descend_with_frames (16 times)"),
    ("exit", FaultKind::Trap, "exit code 1"),
    ("sleep", FaultKind::Wall, "within 2 s"),
    ("huge-output", FaultKind::Output, "too much"),
    ("huge-log", FaultKind::Output, "too much"),
    ("big-cursor", FaultKind::Output, "16385 bytes"),
    ("many-records", FaultKind::Output, "1001 records"),
    ("no-cursor", FaultKind::Contract, "empty cursor"),
    ("wait-with-records", FaultKind::Contract, "wait"),
    ("expired-badly", FaultKind::Contract, "empty cursor"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sin_ends_as_its_class_and_no_neighbour_notices() {
    let connector = hostile().await;
    let neighbour = tokio::spawn({
        let connector = Arc::clone(&connector);
        async move {
            let (cx, _) = context(limits());
            let mut slowest = Duration::ZERO;
            for _ in 0..300 {
                let began = Instant::now();
                let (answer, _) = connector.fetch(&cx, "ok", None).await;
                assert_eq!(answer.unwrap().interactions.len(), 1);
                slowest = slowest.max(began.elapsed());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            slowest
        }
    });
    let sins = FAULTS.map(|(object, kind, says)| {
        let connector = Arc::clone(&connector);
        tokio::spawn(async move {
            let (cx, _) = context(limits());
            let (answer, _) = connector.fetch(&cx, object, None).await;
            let Err(CallError::Fault(found, text)) = answer else { panic!("{object}: {answer:?}") };
            println!("{object}: {}: {text}", found.as_str());
            assert_eq!(found, kind, "{object}: {text}");
            assert!(text.contains(says), "{object}: {text}");
            assert!(text.len() <= 5_000 && !text.contains('\n'), "{object}: {text}");
        })
    });
    for sin in sins {
        sin.await.unwrap();
    }
    println!("slowest of 300 calls beside the sins: {:?}", neighbour.await.unwrap());
    // The permit of a failed call comes back with it.
    assert_eq!(connector.engine().idle_calls(), 16);
}

#[tokio::test]
async fn a_guest_that_computes_for_ever_leaves_its_thread_to_others() {
    let connector = shared().await;
    let (cx, _) = context(limits());
    let mut ticks = 0_u32;
    // One thread for both: the guest must yield for the other side to count at all.
    let counting = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ticks += 1;
        }
    };
    tokio::select! {
        (answer, report) = connector.fetch(&cx, "spin", None) => {
            assert!(matches!(answer, Err(CallError::Fault(FaultKind::Cpu, _))), "{answer:?}");
            assert!(report.cpu >= Duration::from_millis(500), "{report:?}");
        }
        () = counting => {}
    }
    // None at all if the guest kept the thread; how many there are is up to the machine.
    assert!(ticks >= 3, "{ticks}");
}

#[tokio::test]
async fn a_call_that_is_dropped_gives_its_place_back() {
    let connector = hostile().await;
    let (cx, _) = context(limits());
    for object in ["sleep", "spin"] {
        let call = connector.fetch(&cx, object, None);
        assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    }
    assert_eq!(connector.engine().idle_calls(), 16);
    assert!(connector.fetch(&cx, "ok", None).await.0.is_ok());
}

async fn page(object: &str, cursor: Option<&str>) -> Page {
    let (cx, _) = context(CallLimits::default());
    let cursor = cursor.map(|cursor| Cursor(cursor.to_owned()));
    shared().await.fetch(&cx, object, cursor.as_ref()).await.0.unwrap()
}

#[tokio::test]
async fn a_page_arrives_as_the_connector_gave_it() {
    let first = page("ok", None).await;
    assert_eq!(first.interactions[0].data, r#"{"id": "1"}"#);
    assert_eq!((first.cursor.0.as_str(), first.more, first.wait_seconds), ("1", false, None));
    assert_eq!(page("ok", Some("41")).await.cursor.0, "42");
    assert_eq!(page("wait-long", None).await.wait_seconds, Some(3_600));
    // Records are judged when they land; a bad one costs its page nothing.
    assert_eq!(page("no-id", None).await.interactions.len(), 2);
    assert_eq!(page("bad-json", None).await.interactions.len(), 2);
}

#[tokio::test]
async fn the_sandbox_has_no_files_environment_or_memory_of_its_own() {
    let connector = shared().await;
    let (cx, _) = context(CallLimits::default());
    let id = async |object: &str| connector.fetch(&cx, object, None).await.0.unwrap().interactions[0].id.clone();
    assert_eq!(id("files").await, "0 false");
    assert_eq!(id("environment").await, "0 0");
    assert_ne!(id("random").await, id("random").await);
    assert_eq!((id("state").await, id("state").await), ("0".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn the_only_way_out_is_the_hosts_http() {
    let connector = shared().await;
    let (cx, http) = context(CallLimits::default());
    let url = |url: &str| Some(Cursor(url.to_owned()));
    let (answer, report) = connector.fetch(&cx, "egress", url("https://api.example.com/x").as_ref()).await;
    assert_eq!(answer.unwrap().interactions[0].id, "200");
    assert_eq!(report.requests, 1);
    let sent = http.0.lock().unwrap().remove(0);
    assert_eq!((sent.method.as_str(), sent.timeout_ms), ("GET", Some(1_500)));
    assert_eq!(sent.accept_status, [404, 410]);
    let (answer, _) = connector.fetch(&cx, "egress", url("https://forbidden.example.com/").as_ref()).await;
    let Err(CallError::Provider(ProviderError::Unavailable(text))) = answer else { panic!("{answer:?}") };
    assert!(text.contains("forbidden.example.com is not in the manifest"), "{text}");
}

#[tokio::test]
async fn a_flood_of_lines_costs_the_log_its_tail_and_the_run_nothing() {
    let connector = shared().await;
    for object in ["log-flood", "print-flood"] {
        let (cx, _) = context(CallLimits::default());
        let (answer, _) = connector.fetch(&cx, object, None).await;
        assert!(answer.is_ok(), "{object}: {answer:?}");
        let lines = cx.log.lines();
        assert!(lines.len() > 100 && lines.len() <= 1_000, "{object}: {}", lines.len());
    }
    let (cx, _) = context(CallLimits::default());
    let (answer, _) = connector.fetch(&cx, "log-escapes", None).await;
    assert!(answer.is_ok());
    let line = cx.log.lines().remove(0);
    assert_eq!(line.level, LogLevel::Error);
    assert!(!line.text.chars().any(char::is_control), "{}", line.text);
}

#[tokio::test]
async fn texts_of_a_guest_are_bounded_and_clean_and_hold_no_credential() {
    let connector = shared().await;
    let (mut cx, _) = context(CallLimits::default());
    let (answer, _) = connector.fetch(&cx, "unavailable", None).await;
    let Err(CallError::Provider(ProviderError::Unavailable(text))) = answer else { panic!("{answer:?}") };
    assert!(text.len() <= 4_100 && !text.contains('\u{1b}'), "{}", text.len());
    cx.log = Arc::new(GuestLog::new(Arc::new(|text| text.replace("horse", "***"))));
    let (answer, _) = connector.fetch(&cx, "panic", None).await;
    let Err(CallError::Fault(FaultKind::Trap, text)) = answer else { panic!("{answer:?}") };
    assert!(text.contains("the cart has no ***"), "{text}");
}

#[tokio::test]
async fn check_and_discover_are_held_to_the_contract_too() {
    let connector = shared().await;
    let (mut cx, _) = context(CallLimits::default());
    assert!(connector.check(&cx).await.0.is_ok());
    assert!(connector.discover(&cx).await.0.unwrap().iter().any(|object| object.name == "ok"));
    cx.config = r#"{"twice": true}"#.into();
    let (answer, _) = connector.check(&cx).await;
    let Err(CallError::Provider(ProviderError::InvalidConfig(text))) = answer else { panic!("{answer:?}") };
    assert!(text.starts_with(r"\u{1b}[31m"), "{text}");
    let (answer, _) = connector.discover(&cx).await;
    let Err(CallError::Fault(FaultKind::Contract, text)) = answer else { panic!("{answer:?}") };
    assert_eq!(text, "object ok is listed twice");
}

#[tokio::test]
async fn a_call_reports_what_it_used() {
    let connector = shared().await;
    let (cx, _) = context(CallLimits::default());
    let mut fastest = Duration::MAX;
    let began = Instant::now();
    for _ in 0..100 {
        let (answer, report) = connector.fetch(&cx, "ok", None).await;
        assert!(answer.is_ok());
        assert!(report.peak_memory_bytes >= 64 << 10 && report.peak_memory_bytes < 8 << 20, "{report:?}");
        assert!(report.cpu > Duration::ZERO && report.cpu <= report.wall, "{report:?}");
        fastest = fastest.min(report.wall);
    }
    println!("a call, store and instance included: {:?} on average, {fastest:?} at best", began.elapsed() / 100);
}

#[tokio::test]
async fn calls_beyond_the_pool_wait_for_their_turn() {
    let connector = hostile().await;
    let (cx, _) = context(CallLimits::default());
    let calls = (0..100).map(|_| {
        let (connector, cx) = (Arc::clone(&connector), cx.clone());
        tokio::spawn(async move { connector.fetch(&cx, "ok", None).await })
    });
    for call in futures::future::join_all(calls).await {
        let (answer, _) = call.unwrap();
        assert!(answer.is_ok(), "{answer:?}");
    }
    assert_eq!(connector.engine().idle_calls(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_hostile_calls_end_typed_and_give_everything_back() {
    let connector = hostile().await;
    let limits = CallLimits { memory_bytes: 4 << 20, ..limits() };
    let sins = ["hog", "panic", "deep-stack", "deep-frames", "many-records"];
    let calls = (0..1_000).map(|n| {
        let (connector, object) = (Arc::clone(&connector), sins[n % sins.len()]);
        tokio::spawn(async move { connector.fetch(&context(limits).0, object, None).await })
    });
    let began = Instant::now();
    for call in futures::future::join_all(calls).await {
        let (answer, report) = call.unwrap();
        assert!(matches!(answer, Err(CallError::Fault(..))), "{answer:?}");
        assert!(report.peak_memory_bytes <= 4 << 20, "{report:?}");
    }
    println!("1,000 hostile calls, 16 at once: {:?}", began.elapsed());
    assert_eq!(connector.engine().idle_calls(), 16);
    assert!(connector.fetch(&context(limits).0, "ok", None).await.0.is_ok());
}
