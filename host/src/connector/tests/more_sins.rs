//! Sins against what the host keeps for a guest, answers that no honest toolchain produces, and a crowd of them at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::{CallContext, CallLimits, Connector, Engine, EngineOptions};
use super::{context, guests, shared};
use crate::domain::{CallError, FaultKind, Interaction, ObjectId, ProviderError, RecordState, batch};
use crate::process::prepare::{self, Validator};
use crate::store::landing::{CommittedBatch, LandingObject};

fn limits() -> CallLimits {
    CallLimits { cpu: Duration::from_millis(500), wall: Duration::from_secs(3), ..CallLimits::default() }
}

/// A call that is configured to sin so.
fn configured(sin: &str) -> CallContext {
    CallContext { config: format!("{{\"{sin}\": true}}").into(), ..context(limits()).0 }
}

/// How a call ended, in a word.
async fn class(connector: &Connector, cx: &CallContext, object: &str) -> (String, String) {
    match connector.fetch(cx, object, None).await.0 {
        Ok(page) => ("ok".to_owned(), page.interactions.first().map_or(String::new(), |record| record.id.clone())),
        Err(CallError::Fault(kind, text)) => (kind.as_str().to_owned(), text),
        Err(CallError::Provider(error)) => ("provider".to_owned(), format!("{error:?}")),
        Err(other) => ("host".to_owned(), other.to_string()),
    }
}

/// Each sin, how its call ends, and what its text says.
const ENDS: &[(&str, &str, &str)] = &[
    ("hog-at-once", "guest-memory", "67108864 are allowed"),
    ("hog-by-pages", "guest-memory", "67108864 are allowed"),
    ("unreachable", "guest-trap", "unreachable"),
    ("out-of-bounds", "guest-trap", "out of bounds"),
    ("divide-by-zero", "guest-trap", "unreachable"),
    ("spin-after-answer", "guest-cpu", "used its 500 ms"),
    ("spin-clock", "guest-cpu", "used its 500 ms"),
    ("sleep-often", "guest-wall", "within 3 s"),
    ("random-for-ever", "guest-cpu", "used its 500 ms"),
    ("random-at-once", "contract", "exceeds limit 65536"),
    ("hoard-timers", "contract", "no free keys"),
    ("hoard-headers", "contract", "no free keys"),
    ("hoard-requests", "contract", "no free keys"),
    ("header-huge", "provider", ""),
    ("header-count", "provider", ""),
    ("method-huge", "provider", ""),
    ("fields-huge", "ok", "1"),
    ("fields-escapes", "ok", "1"),
    ("error-huge", "guest-output", "too much"),
    ("error-nul", "provider", ""),
    ("not-utf8", "contract", "invalid utf-8"),
    ("not-utf8-cursor", "contract", "invalid utf-8"),
    ("nul-cursor", "contract", "contains NUL"),
    ("thread", "ok", "false"),
    ("stdin", "ok", "0"),
    ("panic-long", "guest-trap", "ppp"),
    ("panic-in-drop", "guest-trap", "not in peace"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_further_sin_ends_as_its_class() {
    let connector = shared().await;
    let ends = ENDS.iter().map(|(object, ends, says)| async move {
        let (cx, _) = context(limits());
        let (class, text) = class(connector, &cx, object).await;
        println!("{object}: {class}: {}", text.chars().take(300).collect::<String>());
        let right = class.starts_with(ends) && text.contains(says);
        // A text is for a terminal and a column of a database.
        let fit = text.len() <= 5_000 && !text.contains(['\0', '\u{1b}', '\n']);
        let log = cx.log.lines();
        let quiet = log.len() <= 1_000 && !log.iter().any(|line| line.text.contains(|char: char| char.is_control()));
        (right && fit && quiet).then_some(()).ok_or(format!("{object}: {class} ({}): {text:.400}", text.len()))
    });
    let wrong: Vec<String> = futures::future::join_all(ends).await.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Records that a page may carry, and why each of them does not land; none where it does.
const RECORDS: &[(&str, Option<&str>)] = &[
    ("ok", None),
    ("no-id", Some("no id")),
    ("nul-id", Some("NUL")),
    ("long-id", Some("longer than 512")),
    ("bad-json", Some("")),
    ("deep-json", Some("")),
    ("huge-record", Some("")),
    ("not-an-object", Some("object")),
    ("many-digits", Some("number out of range")),
    ("same-id", None),
    ("merged-into-itself", None),
    ("nul-data", Some("contains NUL")),
    ("odd-dates", Some("contains NUL")),
    ("raw-nul-data", Some("not sound JSON")),
];

#[tokio::test]
async fn a_record_that_cannot_land_is_rejected_with_the_reason() {
    for (object, reason) in RECORDS {
        let (cx, _) = context(limits());
        let page = shared().await.fetch(&cx, object, None).await.0.unwrap();
        let stored = [committed(&page.interactions)];
        let landing = prepare::landing(ObjectId(1), &known(), &stored, &Validator::AnyObject, 1.0);
        let rejected: Vec<&str> = landing.rejected.iter().map(|reject| reject.reason.as_str()).collect();
        match reason {
            Some(reason) => assert!(rejected.iter().any(|text| text.contains(reason)), "{object}: {rejected:?}"),
            None => assert_eq!((landing.rows.len(), rejected.len()), (1, 0), "{object}: {rejected:?}"),
        }
    }
}

#[tokio::test]
async fn what_check_and_discover_answer_is_judged() {
    let connector = shared().await;
    for (config, says) in [
        ("panic", "in discover"),
        ("spin", "used its 500 ms"),
        ("many", "10001 object types"),
        ("named", "control characters"),
        ("kind", "interaction type"),
        ("schema", "is not JSON"),
        ("abroad", "is not a JSON Schema"),
    ] {
        let cx = configured(config);
        let (answer, _) = connector.discover(&cx).await;
        let Err(CallError::Fault(_, text)) = answer else { panic!("{config}: {answer:?}") };
        assert!(text.contains(says) && !text.contains(['\0', '\u{1b}', '\n']), "{config}: {text}");
    }
    for config in ["regex", "circle"] {
        let cx = configured(config);
        let began = Instant::now();
        let (answer, _) = connector.discover(&cx).await;
        println!("{config}: {} in {:?}", answer.is_ok(), began.elapsed());
        // Refused or not, it does not hold the host up: a minute is what a loaded machine may need for a second's work.
        assert!(began.elapsed() < Duration::from_secs(60), "{config}");
        let Ok(objects) = answer else { continue };
        let validator = prepare::validator(&objects[0].schema);
        let interaction = Interaction {
            id: "1".to_owned(),
            version: None,
            updated_at: None,
            state: RecordState::Present,
            data: format!(r#"{{"id": "{}!"}}"#, "a".repeat(10_000)),
        };
        let stored = [committed(&[interaction])];
        let landing = prepare::landing(ObjectId(1), &known(), &stored, &validator, 1.0);
        assert_eq!(landing.rows.len() + landing.rejected.len(), 1);
        assert!(began.elapsed() < Duration::from_secs(60), "{config}: {:?}", began.elapsed());
    }
    for (config, kind) in [("panic", FaultKind::Trap), ("spin", FaultKind::Cpu)] {
        let cx = configured(config);
        let (answer, _) = connector.check(&cx).await;
        assert!(matches!(&answer, Err(CallError::Fault(found, _)) if *found == kind), "{config}: {answer:?}");
    }
}

/// Sins that a crowd commits, and the ends that each may come to: on a machine this full, a guest that computes may run
/// into its wall clock first.
const CROWD: &[(&str, &[&str])] = &[
    ("spin", &["guest-cpu", "guest-wall"]),
    ("hog", &["guest-memory"]),
    ("hog-at-once", &["guest-memory"]),
    ("hog-by-pages", &["guest-memory"]),
    ("panic", &["guest-trap"]),
    ("deep-stack", &["guest-trap"]),
    ("unreachable", &["guest-trap"]),
    ("sleep", &["guest-wall"]),
    ("many-records", &["guest-output", "guest-cpu", "guest-wall"]),
    ("big-cursor", &["guest-output"]),
    ("nul-cursor", &["contract"]),
    ("not-utf8", &["contract"]),
    ("spin-after-answer", &["guest-cpu", "guest-wall"]),
    ("hoard-headers", &["contract", "guest-memory", "guest-cpu", "guest-wall"]),
    ("log-flood", &["ok", "guest-cpu", "guest-wall"]),
    ("random-for-ever", &["guest-cpu", "guest-wall"]),
];

/// What the kernel says of this process, in bytes; memory that is resident, or the most that was since [`forget`].
fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found =
        status.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    found.unwrap() << 10
}

/// The most that was resident is what is resident now.
fn forget() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// So many hostile calls at once, and a tenth as many healthy ones beside them, over and over.
async fn crowd(hostile: usize) {
    let memory = 4 << 20;
    let engine = Engine::new(EngineOptions {
        max_concurrent_calls: u32::try_from(hostile + hostile / 10).unwrap(),
        memory_bytes: memory,
        ..EngineOptions::default()
    })
    .unwrap();
    let connector = Connector::load_file(&engine, &guests::hostile("")).await.unwrap();
    let limits = CallLimits {
        memory_bytes: memory,
        cpu: Duration::from_millis(100),
        // Long enough for each to have its turns, however many there are.
        wall: Duration::from_secs(10) + Duration::from_millis(20) * u32::try_from(hostile).unwrap(),
        hostcall_bytes: 1 << 20,
    };
    forget();
    let (before, began, over) = (status("VmRSS:"), Instant::now(), Arc::new(AtomicBool::new(false)));
    let healthy: Vec<_> = (0..hostile / 10)
        .map(|_| {
            let (connector, over) = (Arc::clone(&connector), Arc::clone(&over));
            tokio::spawn(async move {
                // Their budget is the usual one: nobody fails because a neighbour is loud.
                let (cx, _) = context(CallLimits { memory_bytes: memory, ..CallLimits::default() });
                let mut done = 0;
                while !over.load(Ordering::Relaxed) || done == 0 {
                    let (answer, _) = connector.fetch(&cx, "ok", None).await;
                    assert_eq!(answer.unwrap().interactions.len(), 1);
                    done += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                done
            })
        })
        .collect();
    let calls: Vec<_> = (0..hostile)
        .map(|n| {
            let (connector, (object, ends)) = (Arc::clone(&connector), CROWD[n % CROWD.len()]);
            tokio::spawn(async move {
                let (class, text) = class(&connector, &context(limits).0, object).await;
                assert!(ends.contains(&class.as_str()), "{object}: {class}: {text}");
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    let mut pages = 0;
    for one in healthy {
        pages += one.await.unwrap();
    }
    let grown = (status("VmHWM:") - before) >> 20;
    println!("{hostile} hostile calls at once: {took:?}, {pages} healthy pages beside them, {grown} MiB more resident");
    assert_eq!(engine.idle_calls(), hostile + hostile / 10, "every permit came back");
    // Half a MiB for each: an eighth of what each may take, and more than twice of what they were seen to take together.
    let may = (hostile + hostile / 10) as u64 / 2;
    assert!(grown < may, "{grown} MiB more, {may} are allowed");
    let (answer, _) = connector.fetch(&context(limits).0, "ok", None).await;
    assert!(answer.is_ok(), "{answer:?}");
}

/// Run by the tests below in a process of its own, whose memory is nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the environment that the next tests give it"]
async fn a_crowd_alone() {
    crowd(std::env::var(CROWD_SIZE).unwrap().parse().unwrap()).await;
}

const CROWD_SIZE: &str = "SYNCLINE_TEST_CROWD";

async fn alone(hostile: usize) {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "--nocapture", "connector::tests::more_sins::a_crowd_alone"]);
    let output = child.env(CROWD_SIZE, hostile.to_string()).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = said.lines().find(|line| line.contains("hostile calls at once"));
    println!("{}", told.unwrap_or_default());
    assert!(output.status.success() && told.is_some(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_crowd_of_hostile_calls_leaves_the_healthy_ones_alone() {
    alone(100).await;
}

#[tokio::test]
async fn a_thousand_hostile_calls_at_once_leave_the_healthy_ones_alone() {
    alone(1_000).await;
}

fn committed(page: &[Interaction]) -> CommittedBatch {
    CommittedBatch { id: 1, seq: 1, payload: batch::encode(page), sweep_seq: None }
}

fn known() -> LandingObject {
    LandingObject { integration_id: 1, record_schema: "{}".to_owned() }
}

#[tokio::test]
async fn an_error_of_a_guest_is_of_its_kind_whatever_it_says() {
    let (cx, _) = context(limits());
    let (answer, _) = shared().await.fetch(&cx, "error-nul", None).await;
    let Err(CallError::Provider(ProviderError::Other(code, text))) = answer else { panic!("{answer:?}") };
    assert!(!format!("{code}{text}").contains(|char: char| char.is_control()), "{code:?} {text:?}");
}
