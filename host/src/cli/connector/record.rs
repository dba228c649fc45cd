//! `syncline connector record` and `replay`: what passes the gate, written down and played back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;

use super::read;
use super::target::{Target, TargetArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{human, probe};
use crate::config::Config;
use crate::connector::{Connector, Moment};
use crate::domain::{Cursor, Page};
use crate::kit::cassette::play::{self, Player};
use crate::kit::cassette::record::Recorder;
use crate::kit::cassette::{Cassette, CassetteError, Function, har, scrub};
use crate::kit::line::{self, Line, Setting};
use crate::kit::reading::{Reading, Step};
use crate::kit::recording::Recording;

/// Records what a connector asks for and is answered, into a cassette: one readable file, without credentials.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector record crm contact --secret token=env:CRM_TOKEN --out contacts.json --scrub email,phone
  syncline connector record . people --out cassettes/people.json        in a project's folder
  syncline connector record --from-har capture.har --out imported.json")]
pub struct ConnectorRecordArgs {
    /// Path of a .wasm file, the name of a connector in the configured folder, or the folder of a project
    #[arg(value_name = "FILE|NAME|FOLDER", required_unless_present = "from_har")]
    pub connector: Option<PathBuf>,
    /// Names of the objects to read, as `discover` lists them; every one unless said
    #[arg(value_name = "OBJECT")]
    pub objects: Vec<String>,
    /// The cassette to write
    #[arg(long, value_name = "PATH", required = true)]
    pub out: PathBuf,
    /// Stop after so many pages of each object; 0 goes on to the end
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    pub pages: u32,
    /// Records in a page; few make a small cassette with several pages
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub page_size: u32,
    /// Names of fields whose values are to be replaced, in bodies and queries
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    pub scrub: Vec<String>,
    /// Import a HAR file, as browsers and proxies write them, instead of calling a connector
    #[arg(long, value_name = "PATH", conflicts_with_all = ["connector", "objects"])]
    pub from_har: Option<PathBuf>,
    /// What to try it with.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Plays a cassette to its connector and prints the records: the same bytes every time, without account or network.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  syncline connector replay contacts.json
  syncline connector replay run-4711.json --connector target/plugins/crm.wasm --object contact")]
pub struct ConnectorReplayArgs {
    /// The cassette
    #[arg(value_name = "CASSETTE")]
    pub cassette: PathBuf,
    /// Path of a .wasm file or the name of a connector; the cassette's own connector in the configured folder unless said
    #[arg(long, value_name = "FILE|NAME")]
    pub connector: Option<PathBuf>,
    /// Only this object; of an imported cassette, the object to read on it
    #[arg(long, value_name = "OBJECT")]
    pub object: Option<String>,
}

/// Records.
pub(super) async fn record(args: ConnectorRecordArgs, config: &Config, context: &mut Context) -> Result<(), Failure> {
    let mut cassette = match &args.from_har {
        Some(path) => {
            let text = std::fs::read(path).map_err(|error| {
                Failure::new(Exit::Failure, "the HAR file cannot be read")
                    .at(path.display().to_string())
                    .caused_by(&error)
            })?;
            har::import(&text).map_err(|error| unusable(path, &error))?
        }
        None => recorded(&args, config, context).await?,
    };
    scrub::scrub(&mut cassette, &args.scrub);
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    cassette.write(&args.out).map_err(|error| unusable(&args.out, &error))?;
    let exchanges = cassette.exchanges();
    let done = json!({
        "cassette": args.out, "calls": cassette.calls.len(), "exchanges": exchanges, "objects": cassette.objects(),
    });
    let sentence = format!(
        "{} in {} written to {}",
        human::count(exchanges, "exchange"),
        human::count(cassette.calls.len(), "call"),
        args.out.display()
    );
    Ok(context.output.done(&done, &sentence)?)
}

async fn recorded(args: &ConnectorRecordArgs, config: &Config, context: &mut Context) -> Result<Cassette, Failure> {
    let named = args.connector.clone().unwrap_or_default();
    let target = Target::find(&named, &args.target, config, context).await?;
    let recorder = Arc::new(Recorder::default());
    let probe = target.probe(config, args.page_size, Some(Arc::clone(&recorder) as _)).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(0);
    let (settings, auth) = (target.connection.config.clone(), target.connection.auth.as_str());
    let failures = probe.failures();
    let mut recording = Recording::new(probe.line, recorder, now_ms, settings, auth);
    recording.check().await.map_err(|error| failures.of("check", &error))?;
    let listed = recording.discover().await.map_err(|error| failures.of("discover", &error))?;
    let names: Vec<String> = match args.objects.as_slice() {
        [] => listed.iter().map(|object| object.name.clone()).collect(),
        chosen => chosen.to_vec(),
    };
    let pages = if args.pages == 0 { u32::MAX } else { args.pages };
    for name in &names {
        if !listed.iter().any(|object| object.name == *name) {
            return Err(Failure::not_found("object", name, listed.iter().map(|object| object.name.as_str())));
        }
        context.output.note(&format!("recording {name}"))?;
        let wait = async |seconds| tokio::time::sleep(Duration::from_secs(seconds)).await;
        let (_, answer) = recording.reading(name, None, pages, wait).await;
        answer.map_err(|error| failures.of("fetch", &error))?;
    }
    Ok(recording.finish())
}

/// Replays.
pub(super) async fn replay(args: &ConnectorReplayArgs, config: &Config, context: &mut Context) -> Result<(), Failure> {
    let cassette = Cassette::read(&args.cassette).map_err(|error| unusable(&args.cassette, &error))?;
    let connector = connector(args, &cassette, config).await?;
    let digest = connector.pin().to_string();
    if !cassette.connector.digest.is_empty() && cassette.connector.digest != digest {
        context.output.note(&format!(
            "another build than the recorded one: {} {}, recorded with {}",
            connector.manifest.version,
            human::brief(&digest, 20),
            human::brief(&cassette.connector.digest, 20)
        ))?;
    }
    let cassette = Arc::new(cassette);
    let player = Arc::new(Player::new(Arc::clone(&cassette)));
    let wire = Arc::clone(&player);
    let gate = line::gate_without_credentials(play::egress(), &connector.manifest, &cassette.auth, wire);
    let moment = Some(Moment { now_ms: cassette.recorded_at_ms(), seed: 1 });
    let page_size = if cassette.page_size == 0 { config.retrieve.page_records } else { cassette.page_size };
    let setting = Setting { moment, ..Setting::of(&cassette.config, &cassette.auth, page_size, probe::budget(config)) };
    let line = Line::open(&gate, connector, setting).await.map_err(|error| probe::no_session(&error))?;
    let mut replay = Replay { player: &player, line: &line, args, pages: 0, records: 0 };
    if cassette.objects().is_empty() {
        replay.whole(context).await?;
    } else {
        replay.calls(&cassette, context).await?;
    }
    let (records, pages) = (human::count(replay.records, "record"), human::count(replay.pages, "page"));
    Ok(context.output.note(&format!("{records} on {pages}"))?)
}

/// A replay in progress.
struct Replay<'a> {
    player: &'a Player,
    line: &'a Line,
    args: &'a ConnectorReplayArgs,
    pages: usize,
    records: usize,
}

impl Replay<'_> {
    /// Repeats each call that was recorded.
    async fn calls(&mut self, cassette: &Cassette, context: &mut Context) -> Result<(), Failure> {
        for call in cassette.calls.iter().filter(|call| call.call == Function::Fetch) {
            let only = self.args.object.as_deref();
            let Some(object) = call.object.as_deref().filter(|name| only.is_none_or(|only| only == *name)) else {
                continue;
            };
            self.player.begin(Function::Fetch, Some(object), call.cursor.as_deref());
            let (answer, _) = self.line.fetch(object, call.cursor.clone().map(Cursor).as_ref()).await;
            self.missed_nothing()?;
            match answer {
                Ok(page) => self.print(&page, context)?,
                // What failed when it was recorded fails again, and that is a right replay.
                Err(error) => context.output.note(&format!("{object}: {error}"))?,
            }
        }
        Ok(())
    }

    /// Reads an object on the exchanges of somebody else, as a host would, until the connector says that it is done.
    async fn whole(&mut self, context: &mut Context) -> Result<(), Failure> {
        let object = self.args.object.as_deref().ok_or_else(|| {
            Failure::new(Exit::Usage, "the cassette does not say what was read: it was imported, or holds no page")
                .at(self.args.cassette.display().to_string())
                .help("--object NAME reads that object on it, from the very beginning")
        })?;
        let mut reading = Reading::new(object, None);
        loop {
            let step = reading.step(self.line).await.0;
            self.missed_nothing()?;
            match step {
                Step::Page(page) => {
                    self.print(&page, context)?;
                    if page.ends() {
                        return Ok(());
                    }
                }
                Step::Rewound => {}
                Step::Ended(_, error) => return Ok(context.output.note(&format!("{object}: {error}"))?),
            }
        }
    }

    fn print(&mut self, page: &Page, context: &mut Context) -> Result<(), Failure> {
        self.pages += 1;
        self.records += page.interactions.len();
        read::print(&page.interactions, usize::MAX, context)
    }

    fn missed_nothing(&self) -> Result<(), Failure> {
        let Some(miss) = self.player.misses().into_iter().next() else { return Ok(()) };
        Err(Failure::new(Exit::CheckFailed, "the connector asks for something that was not recorded")
            .at(self.args.cassette.display().to_string())
            .because(miss.to_string())
            .help("record it again, or replay it with the build that it was recorded with"))
    }
}

async fn connector(
    args: &ConnectorReplayArgs,
    cassette: &Cassette,
    config: &Config,
) -> Result<Arc<Connector>, Failure> {
    if let Some(named) = &args.connector {
        return probe::find(config, named).await;
    }
    if cassette.connector.name.is_empty() {
        return Err(
            Failure::new(Exit::Usage, "the cassette does not say which connector it is of").help("--connector FILE")
        );
    }
    let catalog = probe::catalog(config).await?;
    // The recorded build if it is here, else the newest of that name.
    if let Ok(digest) = cassette.connector.digest.trim_start_matches("sha256:").parse()
        && let Ok(connector) = catalog.by_digest(&digest).await
    {
        return Ok(connector);
    }
    probe::resolve(config, &catalog, &cassette.connector.name, None).await
}

/// What it means that a cassette cannot be used.
pub(super) fn unusable(path: &std::path::Path, error: &CassetteError) -> Failure {
    Failure::new(Exit::Failure, error.to_string()).at(path.display().to_string()).caused_by(error)
}
