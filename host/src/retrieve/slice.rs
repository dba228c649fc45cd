//! One slice of a run: fetch a page, commit it, go on, until there is no more, the slice is used up, or something fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};

use super::tape::Tape;
use super::{End, RetrieveOptions, Retriever};
use crate::connector::{CallContext, Connector, GuestLog, Pin, ResolveError};
use crate::domain::outcome::Verdict;
use crate::domain::schedule::{backoff, interval_share};
use crate::domain::{
    CallError, Cursor, DeleteMode, Digest, FaultKind, Outcome, Page, Progress, ProviderError, batch, classify,
};
use crate::egress::{OpenError, Session, SessionSpec};
use crate::points::{note, point};
use crate::queue::QueueName;
use crate::store::StoreError;
use crate::store::runs::{Claim, Fenced, Finish, PageCommit};

/// Tries to commit a page while the database is out of reach; the lease bounds them anyway.
const COMMIT_TRIES: u32 = 5;

/// Delay of a run that waits for landing to catch up, or for the host itself.
const BACK_PRESSURE: Duration = Duration::from_secs(2);

/// Probe interval of an object whose connector keeps breaking the sandbox's rules, and of one that may not be read.
const SELDOM: Duration = Duration::from_secs(6 * 3_600);

/// Failures in a row after which a broken connector is only probed.
const BROKEN_AFTER: i64 = 5;

/// A slice at work.
struct Work<'a> {
    retriever: &'a Retriever,
    claim: &'a Claim,
    connector: Arc<Connector>,
    session: Arc<Session>,
    call: CallContext,
    /// The recording, if the run is recorded.
    tape: Option<Tape>,
    cursor: Option<Cursor>,
    progress: Progress,
    pass_seq: i64,
    pages: u32,
    cpu: Duration,
    /// Requests that a commit has counted already.
    requests_counted: u64,
}

impl Retriever {
    /// Works on a run until its slice ends.
    pub(super) async fn slice(&self, claim: &Claim) -> End {
        let options = &self.options;
        if claim.attempts > options.max_attempts {
            let message = format!(
                "{} claims in a row ended without a sign of progress; resume it when the cause is gone",
                claim.attempts - 1
            );
            return end(claim, options, Outcome::Quarantined { message }, 0, String::new());
        }
        // A shorter one is waited for at the gate.
        if Duration::from_millis(claim.paused_for_ms.unsigned_abs()) > self.gate.longest_wait() {
            let outcome = Outcome::RateLimited { retry_after_ms: Some(claim.paused_for_ms) };
            return end(claim, options, outcome, 0, String::new());
        }
        match self.is_backed_up().await {
            Ok(true) => return End::GiveBack { delay: BACK_PRESSURE, slice: false, reason: "landing has to catch up" },
            Ok(false) => {}
            Err(_) => return End::GiveBack { delay: BACK_PRESSURE, slice: false, reason: "database" },
        }
        match self.begin(claim).await {
            Ok(mut work) => {
                let end = work.run().await;
                if let Some(tape) = work.tape.take() {
                    tape.store(&self.store, &options.owner, claim).await;
                }
                end
            }
            Err(Begin::Fail(outcome)) => end(claim, options, outcome, 0, String::new()),
            Err(Begin::Later(reason)) => End::GiveBack { delay: BACK_PRESSURE, slice: false, reason },
        }
    }

    /// Whether landing has to catch up before more is fetched.
    async fn is_backed_up(&self) -> Result<bool, StoreError> {
        self.backlog.exceeds(self.options.unlanded_bytes, &self.store, (self.options.now)()).await
    }

    async fn begin<'a>(&'a self, claim: &'a Claim) -> Result<Work<'a>, Begin> {
        let connector = self.connector_of(claim).await.map_err(|error| {
            let message = crate::domain::chain(&error);
            Begin::Fail(Outcome::Failed { class: "connector-missing".to_owned(), message })
        })?;
        if claim.connector_digest.is_none() {
            let digest = connector.digest.to_string();
            self.store
                .note_connector(claim.lease, &connector.manifest.version.to_string(), &digest)
                .await
                .map_err(|_| Begin::Later("database"))?;
        }
        let invalid = |message: String| Begin::Fail(Outcome::NeedsAuth { class: "invalid-config".to_owned(), message });
        let config: serde_json::Value = serde_json::from_str(&claim.config)
            .map_err(|error| invalid(format!("the configuration is not JSON: {error}")))?;
        let tape = Tape::of(claim, &connector, &config, self.options.page_size);
        let spec = SessionSpec {
            integration: claim.integration,
            manifest: &connector.manifest,
            auth: Some(claim.auth.as_str()).filter(|name| !name.is_empty()),
            config: &config,
            budget: self.options.requests,
            tape: tape.as_ref().map(Tape::recorder),
        };
        let session = match self.gate.session(spec).await {
            Ok(session) => session,
            Err(OpenError::Store(_)) => return Err(Begin::Later("database")),
            Err(error @ OpenError::MissingCredential { .. }) => {
                let message = crate::domain::chain(&error);
                return Err(Begin::Fail(Outcome::NeedsAuth { class: "unauthorized".to_owned(), message }));
            }
            Err(error) => return Err(invalid(crate::domain::chain(&error))),
        };
        let redactor = Arc::clone(&session);
        let call = CallContext {
            config: claim.config.as_str().into(),
            auth: claim.auth.as_str().into(),
            page_size: self.options.page_size,
            http: Arc::clone(&session) as _,
            log: Arc::new(GuestLog::new(Arc::new(move |text| redactor.redact(text)))),
            limits: self.catalog.engine().limits(),
            moment: None,
        };
        let cursor = claim.cursor.clone();
        let progress = Progress::new(cursor.as_ref(), self.options.patience);
        Ok(Work {
            retriever: self,
            claim,
            connector,
            session,
            call,
            tape,
            cursor,
            progress,
            pass_seq: claim.pass_seq,
            pages: 0,
            cpu: Duration::ZERO,
            requests_counted: 0,
        })
    }

    /// The connector a run works with: the one its first slice used, or what the integration is pinned to, or the newest.
    async fn connector_of(&self, claim: &Claim) -> Result<Arc<Connector>, ResolveError> {
        if let Some(Ok(digest)) = claim.connector_digest.as_deref().map(str::parse::<Digest>) {
            return self.catalog.by_digest(&digest).await;
        }
        let pin = claim.pin.as_deref().and_then(|pin| pin.parse::<Pin>().ok());
        self.catalog.resolve(&claim.provider, pin.as_ref()).await
    }
}

/// Why a slice did not begin.
enum Begin {
    Fail(Outcome),
    Later(&'static str),
}

/// Why a page did not become durable.
enum NotCommitted {
    Fenced,
    Database(StoreError),
}

impl Work<'_> {
    async fn run(&mut self) -> End {
        let options = &self.retriever.options;
        let started = Instant::now();
        loop {
            if self.retriever.draining.is_cancelled() {
                return End::GiveBack { delay: Duration::ZERO, slice: false, reason: "draining" };
            }
            self.session.new_page();
            let began = Instant::now();
            point!("fetch", before);
            note!("fetch", self.claim.lease);
            let (answer, report) =
                self.connector.fetch(&self.call, &self.claim.object_name, self.cursor.as_ref()).await;
            point!("fetch", after);
            self.cpu += report.cpu;
            histogram!("syncline_page_duration_seconds", "phase" => "fetch").record(began.elapsed());
            if let Some(tape) = &mut self.tape {
                tape.keep(&self.claim.object_name, self.cursor.as_ref(), &answer, &self.session);
            }
            let answer = answer.and_then(|page| self.progress.judge(&page).map(|()| page));
            let page = match answer {
                Ok(page) => page,
                Err(error) => {
                    note!("refuse", self.claim.lease);
                    match self.after(error).await {
                        Some(end) => return end,
                        None => continue,
                    }
                }
            };
            let (ends, wait) = (page.ends(), page.wait_seconds);
            match self.commit(page).await {
                Ok(()) => {}
                Err(NotCommitted::Fenced) => return End::Fenced,
                Err(NotCommitted::Database(error)) => {
                    tracing::warn!(run.id = self.claim.lease.run.0, error = %crate::domain::chain(&error), "page not committed");
                    return End::GiveBack { delay: BACK_PRESSURE, slice: false, reason: "database" };
                }
            }
            if let Some(seconds) = wait {
                return End::GiveBack {
                    delay: Duration::from_secs(seconds),
                    slice: true,
                    reason: "provider is preparing",
                };
            }
            if ends {
                return self.end(Outcome::Succeeded);
            }
            if self.pages >= options.slice_pages || started.elapsed() >= options.slice_time {
                return End::GiveBack { delay: Duration::ZERO, slice: true, reason: "slice used up" };
            }
            if self.cpu > options.cpu_per_slice {
                let message = format!("used {} ms of CPU in one slice", self.cpu.as_millis());
                return self.end(Outcome::Failed { class: FaultKind::Cpu.as_str().to_owned(), message });
            }
            // Before every page: each run in flight goes beyond the bound by one at most.
            if self.retriever.is_backed_up().await.is_ok_and(|is| is) {
                return End::GiveBack { delay: BACK_PRESSURE, slice: true, reason: "landing has to catch up" };
            }
        }
    }

    async fn commit(&mut self, page: Page) -> Result<(), NotCommitted> {
        let began = Instant::now();
        let complete = page.completes(self.claim.mode);
        let sweeps = complete && self.claim.deletes == DeleteMode::ByAbsence;
        let records = i64::try_from(page.interactions.len()).unwrap_or(i64::MAX);
        let commit = PageCommit {
            payload: batch::encode(&page.interactions),
            records,
            requests: self.uncounted_requests(),
            sweep_seq: sweeps.then_some(self.pass_seq),
            pass_ends: complete,
            cursor: Some(page.cursor),
        };
        drop(page.interactions);
        let seq = self.store_page(&commit).await?;
        self.retriever.backlog.add(commit.payload.as_ref());
        if complete {
            self.pass_seq = seq;
        }
        if commit.payload.is_some() || sweeps {
            self.retriever.bell.ring(QueueName::Process);
        }
        self.cursor = commit.cursor;
        self.pages += 1;
        counter!("syncline_pages_total", "connector" => self.claim.provider.clone()).increment(1);
        counter!("syncline_records_fetched_total", "connector" => self.claim.provider.clone())
            .increment(records.unsigned_abs());
        histogram!("syncline_page_duration_seconds", "phase" => "commit").record(began.elapsed());
        Ok(())
    }

    /// Commits, again if need be: a page committed twice lands once, a page not committed is fetched again.
    async fn store_page(&self, commit: &PageCommit) -> Result<i64, NotCommitted> {
        let Retriever { store, options, .. } = self.retriever;
        let mut wait = Duration::from_millis(100);
        let mut tries = 1;
        loop {
            match store.commit_page(&options.owner, self.claim.lease, commit).await {
                Ok(Ok(seq)) => return Ok(seq),
                Ok(Err(Fenced)) => return Err(NotCommitted::Fenced),
                Err(error) if error.is_transient() && tries < COMMIT_TRIES => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                    tries += 1;
                }
                Err(error) => return Err(NotCommitted::Database(error)),
            }
        }
    }

    /// Decides what a failed call means; `None` to go on.
    async fn after(&mut self, error: CallError) -> Option<End> {
        if let CallError::Fault(kind, _) = &error {
            counter!("syncline_guest_traps_total", "kind" => kind.as_str()).increment(1);
        }
        let error = self.scrub(error);
        match classify(error, self.claim.pages > 0 || self.pages > 0) {
            Verdict::End(outcome) => {
                if let Outcome::RateLimited { retry_after_ms: Some(pause) } = outcome {
                    // Other hosts, and other objects of the integration, are not to find out by themselves.
                    let pause = Duration::from_millis(u64::try_from(pause).unwrap_or(0));
                    let _ = self.retriever.store.pause(self.claim.integration, pause).await;
                }
                Some(self.end(outcome))
            }
            Verdict::GiveBack(reason) => {
                tracing::warn!(run.id = self.claim.lease.run.0, reason, "the host could not make the call");
                Some(End::GiveBack { delay: BACK_PRESSURE, slice: false, reason: "host" })
            }
            Verdict::Rewind(resume) => {
                if let Err(outcome) = self.progress.rewound() {
                    return Some(self.end(outcome));
                }
                tracing::warn!(
                    run.id = self.claim.lease.run.0,
                    object = self.claim.object_name,
                    from_the_beginning = resume.is_none(),
                    "the provider no longer knows the cursor"
                );
                counter!("syncline_cursor_expired_total", "connector" => self.claim.provider.clone()).increment(1);
                let commit = PageCommit {
                    pass_ends: resume.is_none(),
                    cursor: resume.map(Cursor),
                    payload: None,
                    records: 0,
                    requests: self.uncounted_requests(),
                    sweep_seq: None,
                };
                match self.store_page(&commit).await {
                    Ok(seq) => {
                        if commit.pass_ends {
                            self.pass_seq = seq;
                        }
                        self.cursor = commit.cursor;
                        None
                    }
                    Err(NotCommitted::Fenced) => Some(End::Fenced),
                    Err(NotCommitted::Database(_)) => {
                        Some(End::GiveBack { delay: BACK_PRESSURE, slice: false, reason: "database" })
                    }
                }
            }
        }
    }

    /// Takes credentials and control characters out of what a connector said.
    fn scrub(&self, error: CallError) -> CallError {
        let clean = |text: String| self.call.log.scrub(&text);
        match error {
            CallError::Provider(error) => CallError::Provider(match error {
                ProviderError::Unauthorized(text) => ProviderError::Unauthorized(clean(text)),
                ProviderError::Forbidden(text) => ProviderError::Forbidden(clean(text)),
                ProviderError::Unavailable(text) => ProviderError::Unavailable(clean(text)),
                ProviderError::InvalidConfig(text) => ProviderError::InvalidConfig(clean(text)),
                ProviderError::Unexpected(text) => ProviderError::Unexpected(clean(text)),
                ProviderError::Other(code, text) => ProviderError::Other(clean(code), clean(text)),
                other @ (ProviderError::RateLimited(_) | ProviderError::CursorExpired(_)) => other,
            }),
            CallError::Fault(kind, text) => CallError::Fault(kind, clean(text)),
            CallError::Host(text) => CallError::Host(text),
        }
    }

    fn uncounted_requests(&mut self) -> i64 {
        let total = self.session.stats().requests;
        let new = total - self.requests_counted;
        self.requests_counted = total;
        i64::try_from(new).unwrap_or(i64::MAX)
    }

    fn end(&mut self, outcome: Outcome) -> End {
        let requests = self.uncounted_requests();
        let mut log = String::new();
        for line in self.call.log.lines() {
            log.push_str(&format!("{:>7} ms {:?} {}\n", line.at_ms, line.level, line.text));
        }
        if self.call.log.dropped() > 0 {
            log.push_str(&format!("... {} more lines dropped\n", self.call.log.dropped()));
        }
        end(self.claim, &self.retriever.options, outcome, requests, log)
    }
}

impl End {
    /// A panic of ours: the run failed, the process lives.
    pub(super) fn internal(claim: &Claim, options: &RetrieveOptions) -> Self {
        let message = "a fault of the host itself; the log of the host says more".to_owned();
        end(claim, options, Outcome::Failed { class: "internal".to_owned(), message }, 0, String::new())
    }
}

/// Works out when the object is next due and writes the ending down.
fn end(claim: &Claim, options: &RetrieveOptions, outcome: Outcome, requests: i64, guest_log: String) -> End {
    let jittered = |fails: i64| {
        let fails = u32::try_from(fails).unwrap_or(u32::MAX);
        backoff(fails, options.backoff_base, options.backoff_cap, (options.chance)())
    };
    let (fails, due_in) = match &outcome {
        Outcome::Succeeded | Outcome::Fenced => (0, Duration::ZERO),
        Outcome::Partial { .. } => (1, jittered(1)),
        Outcome::RateLimited { retry_after_ms: Some(pause) } => {
            (claim.fails, Duration::from_millis(pause.unsigned_abs()))
        }
        Outcome::RateLimited { retry_after_ms: None } | Outcome::Quarantined { .. } => {
            (claim.fails + 1, jittered(claim.fails + 1))
        }
        Outcome::NeedsAuth { .. } => (claim.fails + 1, Duration::ZERO),
        Outcome::Forbidden { .. } => (claim.fails + 1, SELDOM),
        Outcome::Failed { class, .. } => {
            let broken = class.starts_with("guest-") || class == "contract" || class == "cursor-stalled";
            let fails = claim.fails + 1;
            (fails, if broken && fails >= BROKEN_AFTER { SELDOM } else { jittered(fails) })
        }
    };
    let interval_share = interval_share(claim.lease.object, options.spread && !claim.synced);
    End::Finish(Box::new(Finish { outcome, interval_share, due_in, fails, requests, guest_log }))
}
