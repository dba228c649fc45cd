//! How a host starts where something is missing: what it refuses with which exit code, what it waits for, and what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use url::Url;

/// A database nobody serves.
const NO_DATABASE: &str = "store.url=postgres://ada:hunter2@127.0.0.1:9/x";

/// SQS where nobody serves it.
const NO_QUEUE: [&str; 6] =
    ["-o", "queue.kind=sqs", "-o", "queue.sqs.endpoint=http://127.0.0.1:9", "-o", "queue.sqs.region=us-east-1"];

/// A host in a folder of its own. It ends with the value.
struct Host {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Host {
    fn start(options: &[&str], arguments: &[&str]) -> Self {
        Self::start_by(&[env!("CARGO_BIN_EXE_syncline")], options, arguments)
    }

    /// Starts it by another program, or by a shell that sets limits first.
    fn start_by(program: &[&str], options: &[&str], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let said = File::create(folder.path().join("said")).unwrap();
        let child = Command::new(program[0])
            .args(&program[1..])
            .args(options)
            .args(["-o", &format!("http.listen=127.0.0.1:{port}"), "run"])
            .args(arguments)
            .current_dir(folder.path())
            .env_remove("SYNCLINE_CONFIG")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        Self { child, folder, port }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap()
    }

    /// The code it ends with, and what it said; it has to end within the time.
    fn end(mut self, within: Duration) -> (i32, String) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code().unwrap(), self.said());
            }
            assert!(started.elapsed() < within, "it does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has said something.
    fn wait_for(&mut self, words: &str) {
        let started = Instant::now();
        while !self.said().contains(words) {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended:\n{}", self.said());
            assert!(started.elapsed() < Duration::from_secs(60), "it does not say {words:?}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks its own server: the whole answer.
    fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_host_told_to_fail_fast_ends_soon_with_what_is_away() {
    let started = Instant::now();
    let soon = Duration::from_secs(40);
    let database = Host::start(&["-o", NO_DATABASE], &["--fail-fast"]);
    let queue = Host::start(&NO_QUEUE, &["--fail-fast"]);
    let (exit, said) = database.end(soon);
    assert_eq!(exit, 75, "{said}");
    assert!(said.contains("connect failed") && said.contains("`store.url` says where it is"), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("waits for it"), "{said}");
    let (exit, said) = queue.end(soon);
    assert_eq!(exit, 75, "{said}");
    assert!(said.contains("queue retrieve: open failed") && said.contains("`queue.sqs` says where it is"), "{said}");
    assert!(!said.contains("waits for it"), "{said}");
    assert!(started.elapsed() < soon, "{:?}", started.elapsed());
}

#[test]
fn a_host_whose_queue_is_away_is_alive_and_says_what_it_waits_for() {
    let mut host = Host::start(&NO_QUEUE, &[]);
    host.wait_for("the queue is out of reach, the host waits for it");
    let alive = host.get("/livez");
    assert!(alive.starts_with("HTTP/1.1 200 "), "{alive}");
    let ready = host.get("/readyz");
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(ready.contains("waiting for the queue: queue retrieve: open failed"), "{ready}");
    assert!(host.child.try_wait().unwrap().is_none(), "{}", host.said());
}

#[test]
fn a_data_directory_that_cannot_be_written_is_refused_by_its_name() {
    let host = Host::start(&["-o", "host.data_dir=/proc/nowhere"], &[]);
    let (exit, said) = host.end(Duration::from_secs(20));
    assert_eq!(exit, 78, "{said}");
    assert!(said.contains("the data directory /proc/nowhere (`host.data_dir`) cannot be used"), "{said}");
}

#[test]
fn a_host_takes_as_many_descriptors_as_it_may_and_says_where_they_can_be_too_few() {
    let limited = |limits: &str, options: &[&str]| {
        let shell = format!("ulimit {limits} && exec \"$0\" \"$@\"");
        let mut host = Host::start_by(&["sh", "-c", &shell, env!("CARGO_BIN_EXE_syncline")], options, &[]);
        host.wait_for("syncline is running");
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", host.child.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        (numbers, host.said())
    };
    let (raised, said) = limited("-Sn 128", &[]);
    assert!(raised[0] > 128 && raised[0] == raised[1], "{raised:?}");
    assert!(!said.contains("descriptors"), "{said}");
    let (few, said) = limited("-n 256", &["-o", "retrieve.concurrency=100"]);
    assert_eq!(few, [256, 256]);
    assert!(said.contains("\"code\":\"descriptors\",\"allowed\":256,\"needed\":529"), "{said}");
}

#[test]
fn a_host_tells_how_far_its_clock_and_the_databases_are_apart() {
    let mut host = Host::start(&[], &[]);
    host.wait_for("syncline is running");
    let started = Instant::now();
    loop {
        let metrics = host.get("/metrics");
        let drift = metrics.lines().find_map(|line| line.strip_prefix("syncline_clock_drift_seconds "));
        if let Some(drift) = drift {
            assert!(drift.parse::<f64>().unwrap().abs() < 1.0, "{drift}");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{metrics}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!host.said().contains("clock-drift"), "{}", host.said());
}

#[tokio::test]
async fn a_host_that_is_to_have_more_connections_than_the_server_has_says_so_and_runs() {
    let server = std::env::var("SYNCLINE_TEST_POSTGRES")
        .expect("SYNCLINE_TEST_POSTGRES is not set: run these tests with `cargo xtask test`");
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let schema = format!("start_{}", std::process::id());
    admin.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.unwrap();
    let most: i64 =
        sqlx::query_scalar("SELECT current_setting('max_connections')::BIGINT").fetch_one(&mut admin).await.unwrap();
    let mut url = Url::parse(&server).unwrap();
    url.query_pairs_mut().append_pair("options[search_path]", &schema);
    let said = |connections: i64| {
        let options = [format!("store.url={url}"), format!("store.max_connections={connections}")];
        let mut host = Host::start(&["-o", &options[0], "-o", &options[1]], &["--migrate"]);
        host.wait_for("syncline is running");
        host.said()
    };
    let crowded = said(most);
    assert!(crowded.contains("\"code\":\"store-connections\""), "{crowded}");
    assert!(
        crowded.contains(&format!("\"wanted\":{most}")) && crowded.contains(&format!("\"server.most\":{most}")),
        "{crowded}"
    );
    let fitting = said(2);
    assert!(!fitting.contains("store-connections"), "{fitting}");
    admin.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await.unwrap();
}
