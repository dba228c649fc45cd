//! A world: a few hosts, a database, a queue and a provider, and a seed that decides what happens next.
//!
//! First come steps in which everything may happen: work of any host goes on, time passes, somebody changes at the
//! provider, hosts die between and within transactions, stand still while their leases run out and go on, or are replaced
//! by another one of the same name meanwhile. Then nothing goes wrong any more, and in the end the database must show what
//! the provider does.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use syncline::connector::Catalog;
use syncline::domain::{DeleteMode, ObjectId, ObjectType, SyncMode};
use syncline::queue::{Bell, EmbeddedQueue};
use syncline::store::admin::NewIntegration;
use syncline::store::credentials::SealedField;

use crate::clock;
use crate::database::Database;
use crate::dice::Dice;
use crate::hosts::{Host, INTERVAL, Role, Shared, THROTTLE, set_jitter};
use crate::provider::{Account, Provider, Tells, stamp_text};
use crate::queue::{QueueFaults, SimQueue};
use crate::turns::{self, Turn, Waiting, Work};
use crate::watch::{Actor, State};

/// Lines of the trace that are kept to be shown with a failure.
const KEPT: usize = 40;

/// Rounds of peace, each a few seconds long, until everything must be at rest.
const PEACE: usize = 400;

/// What a seed came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A hash of every step and of the state behind it.
    pub trace: u64,
    /// Steps taken.
    pub steps: u64,
    /// What happened how often, by name.
    pub counts: BTreeMap<&'static str, u64>,
}

/// A failure, with the steps before it.
#[derive(Debug)]
pub struct Failure {
    /// What was not true.
    pub error: anyhow::Error,
    /// The last steps.
    pub trace: Vec<String>,
}

/// Work in progress.
struct Job {
    host: usize,
    role: Role,
    waiting: Waiting,
    at: &'static str,
    /// The object and the epoch of the claim that it made or works on.
    claim: Option<(i64, i64)>,
}

struct World<'a> {
    database: &'a Database,
    dice: Dice,
    shared: Arc<Shared>,
    provider: Arc<Provider>,
    queue: Option<Arc<SimQueue>>,
    objects: Vec<i64>,
    hosts: Vec<Host>,
    jobs: Vec<Job>,
    state: State,
    mark: String,
    trace: DefaultHasher,
    steps: u64,
    counts: BTreeMap<&'static str, u64>,
    last: VecDeque<String>,
    told: bool,
}

/// Lives a world through. `told` prints every step as it is taken.
///
/// # Errors
/// What was not true, and the steps before it.
pub async fn live(database: &Database, catalog: &Arc<Catalog>, seed: u64, told: bool) -> Result<Report, Failure> {
    turns::open(false);
    let failed = |error| Failure { error, trace: Vec::new() };
    let mut world = World::create(database, catalog, seed, told).await.map_err(failed)?;
    turns::open(true);
    let lived = world.live().await;
    turns::open(false);
    world.jobs.clear();
    let (trace, steps, counts) = (world.trace.finish(), world.steps, std::mem::take(&mut world.counts));
    match lived {
        Ok(()) => Ok(Report { trace, steps, counts }),
        Err(error) => Err(Failure { error, trace: world.last.into_iter().collect() }),
    }
}

impl<'a> World<'a> {
    async fn create(database: &'a Database, catalog: &Arc<Catalog>, seed: u64, told: bool) -> Result<Self> {
        database.wipe().await?;
        let mut dice = Dice::new(seed, 1);
        set_jitter(Dice::new(seed, 2));
        let store = database.store.clone();
        let customers = [store.add_customer("acme", "ACME", None).await?, store.add_customer("birch", "", None).await?];
        let (mut integrations, mut accounts) = (Vec::new(), BTreeMap::new());
        for n in 0..dice.between(1, 3) {
            let tells = if dice.chance(650) { Tells::Changes } else { Tells::Everybody };
            let customer = customers.get(dice.below(2)).copied().context("two customers")?;
            let new = NewIntegration {
                customer,
                name: format!("crm-{n}"),
                provider: "birch".to_owned(),
                config: r#"{"overlap_seconds":5}"#.to_owned(),
                auth: String::new(),
                pin: None,
                interval: Some(INTERVAL),
                objects: vec![people(tells)],
            };
            let nothing = |_| Ok::<_, std::convert::Infallible>(Vec::<SealedField>::new());
            integrations.push(store.add_integration(&new, nothing).await?);
            accounts.insert(n + 1, Account { tells, people: BTreeMap::new(), answers: 0 });
        }
        let objects: Vec<i64> = accounts.keys().copied().collect();
        let provider = Arc::new(Provider::new(accounts, Dice::new(seed, 3)));
        for object in &objects {
            for _ in 0..dice.between(0, 12) {
                provider.change(*object);
            }
        }
        let faults = QueueFaults {
            lost: 10 * u32::from(dice.chance(500)),
            doubled: 100 * u32::from(dice.chance(500)),
            late: 150 * u32::from(dice.chance(500)),
            refused: 50 * u32::from(dice.chance(300)),
            failed: 30 * u32::from(dice.chance(500)),
        };
        let queue = dice.chance(600).then(|| Arc::new(SimQueue::new(Dice::new(seed, 4), faults)));
        let embedded = || {
            let second = Duration::from_secs(1);
            EmbeddedQueue::new(store.clone(), Arc::new(Bell::default()), second, Duration::from_secs(60))
        };
        let shared = Arc::new(Shared {
            store: store.clone(),
            receiver: match &queue {
                Some(queue) => Arc::clone(queue) as _,
                None => Arc::new(embedded()),
            },
            sender: queue.clone().map(|queue| queue as _),
            catalog: Arc::clone(catalog),
            wire: Arc::clone(&provider) as _,
            integrations,
            unlanded_bytes: if dice.chance(200) { 400 } else { 1 << 20 },
            slice_pages: u32::try_from(dice.between(1, 4)).unwrap_or(1),
        });
        let hosts = (0..dice.between(1, 3)).map(|n| Host::start(format!("host-{n}"), &shared)).collect();
        let state = State::read(database).await?;
        Ok(Self {
            database,
            dice,
            shared,
            provider,
            queue,
            objects,
            hosts,
            jobs: Vec::new(),
            mark: database.mark().await?,
            state,
            trace: DefaultHasher::new(),
            steps: 0,
            counts: BTreeMap::new(),
            last: VecDeque::new(),
            told,
        })
    }

    async fn live(&mut self) -> Result<()> {
        for _ in 0..self.dice.between(60, 220) {
            self.anything().await?;
        }
        self.peace().await?;
        self.compare()
    }

    /// One step, whichever the dice say.
    async fn anything(&mut self) -> Result<()> {
        #[derive(Clone, Copy)]
        enum Next {
            GoOn,
            Begin,
            Wait,
            Change,
            Kill,
            Doom,
            Freeze,
            Operate,
        }
        let next = [
            (440, Next::GoOn),
            (350, Next::Begin),
            (90, Next::Wait),
            (60, Next::Change),
            (8, Next::Kill),
            (14, Next::Doom),
            (22, Next::Freeze),
            (10, Next::Operate),
        ];
        match self.dice.pick(&next).unwrap_or(Next::Wait) {
            Next::GoOn => match self.choose() {
                Some(job) => self.turn(job, false).await,
                None => self.begin().await,
            },
            Next::Begin => self.begin().await,
            Next::Wait => {
                let ms = match self.dice.below(100) {
                    0..70 => self.dice.between(1, 1_500),
                    70..90 => self.dice.between(1_500, 12_000),
                    90..98 => self.dice.between(12_000, 45_000),
                    _ => self.dice.between(45_000, 400_000),
                };
                self.wait(ms).await
            }
            Next::Change => {
                for _ in 0..self.dice.between(1, 4) {
                    let object = self.objects.get(self.dice.below(self.objects.len())).copied().unwrap_or(1);
                    let did = self.provider.change(object);
                    self.note(&format!("object {object}: {did}"));
                }
                Ok(())
            }
            Next::Kill => {
                let host = self.dice.below(self.hosts.len());
                self.kill(host);
                self.look("what it left", "looked", Actor::Other, 0).await.map(drop)
            }
            Next::Doom => match self.choose() {
                Some(job) => self.turn(job, true).await,
                None => Ok(()),
            },
            Next::Freeze => {
                self.freeze();
                Ok(())
            }
            Next::Operate => self.operate().await,
        }
    }

    /// A job that may go on: one of a host that does not stand still.
    fn choose(&mut self) -> Option<usize> {
        let able: Vec<usize> = (self.jobs.iter().enumerate())
            .filter(|(_, job)| self.hosts.get(job.host).is_some_and(|host| !host.frozen))
            .map(|(index, _)| index)
            .collect();
        able.get(self.dice.below(able.len())).copied()
    }

    /// Begins something on some host.
    async fn begin(&mut self) -> Result<()> {
        let host = self.dice.below(self.hosts.len());
        let relays = if self.queue.is_some() { 14 } else { 0 };
        let roles = [
            (18, Role::Tick),
            (12, Role::Sweep),
            (relays, Role::RelayJobs),
            (relays, Role::RelayBells),
            (26, Role::Receive),
            (20, Role::Process),
            (14, Role::Beat),
        ];
        let role = self.dice.pick(&roles).unwrap_or(Role::Tick);
        let most = if matches!(role, Role::Receive | Role::Process) { 2 } else { 1 };
        let busy = self.jobs.iter().filter(|job| job.host == host && job.role == role).count();
        match self.hosts.get(host).filter(|host| !host.frozen && busy < most).map(|host| host.begin(role)) {
            Some(waiting) => self.take_up(host, role, waiting).await,
            None => Ok(()),
        }
    }

    async fn take_up(&mut self, host: usize, role: Role, waiting: Waiting) -> Result<()> {
        self.jobs.push(Job { host, role, waiting, at: "start", claim: None });
        self.turn(self.jobs.len() - 1, false).await
    }

    /// Gives a job a turn, and looks at what it did. One that is doomed dies with its host if it is about to commit.
    async fn turn(&mut self, index: usize, doomed: bool) -> Result<()> {
        let mut job = self.jobs.remove(index);
        let (host, from) = (job.host, job.at);
        let turn = job.waiting.turn(doomed).await;
        let to = if let Turn::At(place) = turn { place } else { "end" };
        let dies = doomed && !turns::OUTSIDE.contains(&to) && to.ends_with("/before");
        let actor = match (job.role, job.claim) {
            (Role::Work, Some((object, epoch))) => Actor::Worker { object, epoch },
            (Role::Work, None) => bail!("work without a claim"),
            (Role::Receive, _) => Actor::Claimer,
            (Role::Sweep, _) => Actor::Sweeper,
            (Role::Operator, _) => Actor::Operator,
            _ => Actor::Other,
        };
        let name = self.hosts.get(host).map_or("", |host| host.name.as_str());
        let claim = job.claim.map_or_else(String::new, |(object, epoch)| format!(" object {object} epoch {epoch}"));
        let line = format!("{name} #{host} {:?}{claim}: {from} -> {to}", job.role);
        let served = job.waiting.served;
        let handed = self.hosts.get(host).map(Host::handed).unwrap_or_default();
        if dies {
            drop(job);
            self.kill(host);
            self.look(&format!("{line}, and dies"), to, Actor::Other, 0).await?;
            return Ok(());
        }
        let grown = self.look(&line, to, actor, served).await?;
        job.at = to;
        if job.role == Role::Receive && to == "claim a run/after" {
            job.claim = Some(grown.context("a claim that raised no epoch")?);
        }
        for waiting in handed {
            self.jobs.push(Job { host, role: Role::Work, waiting, at: "start", claim: job.claim });
        }
        if turn != Turn::Done {
            self.jobs.push(job);
        }
        if let Some(failure) = self.hosts.get(host).and_then(|host| host.failures().into_iter().next()) {
            bail!("something failed although nothing was out of order: {failure}");
        }
        Ok(())
    }

    /// Reads the state, writes the step down, and judges it. Answers with the object whose epoch grew, and with the epoch.
    async fn look(
        &mut self,
        line: &str,
        kind: &'static str,
        actor: Actor,
        served: usize,
    ) -> Result<Option<(i64, i64)>> {
        *self.counts.entry(kind).or_default() += 1;
        let mark = self.database.mark().await?;
        if mark == self.mark {
            self.note(line);
            return Ok(None);
        }
        let now = State::read(self.database).await?;
        let before = std::mem::replace(&mut self.state, now);
        // Not the mark from before: what comes in between is read again rather than overlooked.
        self.mark = mark;
        self.note(line);
        self.state.follows(&before, actor, served, clock::now_ms())?;
        self.state.sound(i64::try_from(THROTTLE.as_millis())?)?;
        Ok(self.state.objects.iter().find_map(|(id, object)| {
            let then = before.objects.get(id)?;
            (object.epoch > then.epoch).then_some((*id, object.epoch))
        }))
    }

    fn note(&mut self, line: &str) {
        self.steps += 1;
        let passed = clock::now_ms() - clock::BEGIN_MS;
        let hash = self.state.hash;
        let line = format!("{:>5} {:>9.3} s {line} [{:08x}]", self.steps, passed as f64 / 1_000.0, hash >> 32);
        line.hash(&mut self.trace);
        hash.hash(&mut self.trace);
        if self.told {
            tracing::info!("{line}");
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    async fn wait(&mut self, ms: i64) -> Result<()> {
        self.database.set_time(clock::now_ms() + ms).await?;
        self.note(&format!("{ms} ms pass"));
        Ok(())
    }

    /// A host dies: all that it was about to do is gone, and another one starts in its place.
    fn kill(&mut self, host: usize) {
        self.jobs.retain(|job| job.host != host);
        let keeps_its_name = self.dice.chance(600);
        let steps = self.steps;
        if let Some(dead) = self.hosts.get_mut(host) {
            let name = if keeps_its_name { dead.name.clone() } else { format!("host-{host}-{steps}") };
            *dead = Host::start(name, &self.shared);
        }
        *self.counts.entry("killed").or_default() += 1;
        self.note(&format!("host #{host} dies and starts again"));
    }

    /// A host stands still, or goes on. In the place of one that stands still, one of the same name may start.
    fn freeze(&mut self) {
        let host = self.dice.below(self.hosts.len());
        let (twin, crowded) = (self.dice.chance(300), self.hosts.len() >= 5);
        let Some(it) = self.hosts.get_mut(host) else { return };
        it.frozen = !it.frozen;
        let (frozen, name) = (it.frozen, it.name.clone());
        if frozen && twin && !crowded {
            self.hosts.push(Host::start(name, &self.shared));
        }
        *self.counts.entry(if frozen { "frozen" } else { "thawed" }).or_default() += 1;
        self.note(&format!("host #{host} {}", if frozen { "stands still" } else { "goes on" }));
    }

    /// An operator does something to an object.
    async fn operate(&mut self) -> Result<()> {
        let object = ObjectId(self.objects.get(self.dice.below(self.objects.len())).copied().unwrap_or(1));
        let (store, what) = (self.shared.store.clone(), self.dice.below(4));
        let work: Work = Box::pin(async move {
            let done = match what {
                0 => store.set_paused(&[object], true, Some("a pause")).await,
                1 => store.set_paused(&[object], false, None).await,
                2 => store.trigger(&[object], THROTTLE, false).await.map(drop),
                _ => store.reset_cursor(object, None).await,
            };
            if let Err(error) = done {
                tracing::error!(%error, "an operator's wish failed");
            }
        });
        self.take_up(0, Role::Operator, Waiting::new(work, None)).await
    }

    /// Nothing goes wrong any more: everything must come to rest, within bounds.
    async fn peace(&mut self) -> Result<()> {
        self.note("peace");
        self.provider.heal();
        if let Some(queue) = &self.queue {
            queue.heal();
        }
        for host in &mut self.hosts {
            host.frozen = false;
        }
        self.finish().await?;
        let calm = clock::now_ms();
        for round in 0..PEACE {
            if round % 20 == 0 {
                let (store, all) =
                    (self.shared.store.clone(), self.objects.iter().map(|id| ObjectId(*id)).collect::<Vec<_>>());
                let work: Work = Box::pin(async move {
                    let resumed = store.set_paused(&all, false, None).await;
                    let triggered = store.trigger(&all, THROTTLE, false).await;
                    if let Err(error) = resumed.and(triggered) {
                        tracing::error!(%error, "an operator's wish failed");
                    }
                });
                self.take_up(0, Role::Operator, Waiting::new(work, None)).await?;
                self.finish().await?;
            }
            for role in [
                Role::Tick,
                Role::RelayJobs,
                Role::Receive,
                Role::Receive,
                Role::RelayBells,
                Role::Process,
                Role::Sweep,
            ] {
                if self.queue.is_none() && matches!(role, Role::RelayJobs | Role::RelayBells) {
                    continue;
                }
                let Some(waiting) = self.hosts.first().map(|host| host.begin(role)) else { bail!("no host") };
                self.take_up(0, role, waiting).await?;
                self.finish().await?;
            }
            if self.rests(calm) {
                return Ok(());
            }
            self.wait(4_000).await?;
        }
        bail!("it did not come to rest: {:?}", self.state.objects)
    }

    /// Lets all that has begun come to its end.
    async fn finish(&mut self) -> Result<()> {
        while !self.jobs.is_empty() {
            self.turn(0, false).await?;
        }
        Ok(())
    }

    /// Whether every object has been read twice from end to end since then, and all of it has landed. Twice, because the
    /// first reading may have begun before.
    fn rests(&self, since: i64) -> bool {
        let twice = |object: &i64| {
            let runs = self.state.runs_of(*object).filter(|run| run.dispatched_at >= since && run.state == "succeeded");
            runs.count() >= 2
        };
        self.objects.iter().all(twice) && !self.state.has_unlanded()
    }

    /// Compares what landed with what the provider has.
    fn compare(&self) -> Result<()> {
        for object in &self.objects {
            let landed: BTreeMap<&str, _> = (self.state.landed.iter())
                .filter(|((of, _), _)| of == object)
                .map(|((_, id), landed)| (id.as_str(), landed))
                .collect();
            let judged = self.provider.with(*object, |account| {
                for (id, person) in &account.people {
                    let Some(row) = landed.get(id.as_str()) else {
                        // Who was never seen while they were there need not be known as gone.
                        ensure!(
                            person.deleted && account.tells == Tells::Everybody,
                            "{id} of object {object} is missing (G1)"
                        );
                        continue;
                    };
                    let expected = if person.deleted { "deleted" } else { "present" };
                    ensure!(row.state == expected, "{id} of object {object} is {} and should be {expected}", row.state);
                    if !person.deleted {
                        let name = format!("\"n{}\"", person.n);
                        ensure!(
                            row.stamp == stamp_text(person.stamp) && row.data.contains(&name),
                            "{id} of object {object} is {row:?} and should be {person:?}"
                        );
                    }
                }
                let strangers: Vec<_> = landed.keys().filter(|id| !account.people.contains_key(**id)).collect();
                ensure!(strangers.is_empty(), "object {object} has rows of nobody: {strangers:?}");
                Ok(())
            });
            judged.context("an object without an account")??;
        }
        Ok(())
    }
}

fn people(tells: Tells) -> ObjectType {
    let (mode, deletes) = match tells {
        Tells::Changes => (SyncMode::Incremental, DeleteMode::Tombstones),
        Tells::Everybody => (SyncMode::Full, DeleteMode::ByAbsence),
    };
    ObjectType {
        name: "people".to_owned(),
        interaction_type: "contact".to_owned(),
        schema: "{}".to_owned(),
        primary_key: vec!["id".to_owned()],
        mode,
        deletes,
        default_interval_seconds: None,
    }
}
