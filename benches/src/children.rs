//! The processes that are measured, and the provider they talk to. Each is killed with the value that stands for it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a program may take to say that it is ready.
const READY: Duration = Duration::from_secs(120);

/// Lines of a program that ended too early which an error shows.
const LAST_LINES: usize = 20;

/// A command for a program that the kernel ends when this process is gone, however it went. Without `setpriv`, the plain
/// command.
fn tied(program: &Path) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory.join("setpriv").is_file()) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig=KILL", "--"]).arg(program);
    command
}

/// A running program.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Starts a program and waits for a line of its output that `ready` recognises. Later lines with a warning are shown.
fn start(command: &mut Command, errors: bool, mut ready: impl FnMut(&str) -> bool) -> Result<(Process, String)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (out, err) = if errors { (Stdio::null(), Stdio::piped()) } else { (Stdio::piped(), Stdio::inherit()) };
    let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
    let mut process = Process(child.with_context(|| format!("cannot start {name}"))?);
    let pipe: Box<dyn Read + Send> = match (process.0.stdout.take(), process.0.stderr.take()) {
        (Some(out), _) => Box::new(out),
        (None, Some(err)) => Box::new(err),
        (None, None) => bail!("no pipe"),
    };
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody listens any more, but the pipe has to be read.
            if let Err(late) = sender.send(line)
                && (late.0.contains("WARN") || late.0.contains("ERROR"))
            {
                eprintln!("  {}", late.0);
            }
        }
    });
    let mut seen: Vec<String> = Vec::new();
    loop {
        match lines.recv_timeout(READY) {
            Ok(line) if ready(&line) => return Ok((process, line)),
            Ok(line) => seen.push(line),
            Err(RecvTimeoutError::Timeout) => bail!("{name} was not ready in time"),
            Err(RecvTimeoutError::Disconnected) => {
                let last = seen.split_off(seen.len().saturating_sub(LAST_LINES));
                bail!("{name} ended before it was ready:\n{}", last.join("\n"))
            }
        }
    }
}

/// Fake providers in a process of their own, so that their CPU is not anybody else's.
pub(crate) struct Fakes {
    /// Where HubSpot listens.
    pub(crate) hubspot: SocketAddr,
    /// Its token.
    pub(crate) token: String,
    _process: Process,
}

#[derive(Deserialize)]
struct Announced {
    hubspot: SocketAddr,
    tenants: Vec<Tenant>,
}

#[derive(Deserialize)]
struct Tenant {
    hubspot_token: String,
}

impl Fakes {
    /// Starts them with so many records of each object, fixed data, and no rate limit.
    pub(crate) fn start(programs: &Path, records: u64, latency: Duration) -> Result<Self> {
        let knobs = json!({
            "hubspot_per_10s": u32::MAX, "hubspot_search_per_s": u32::MAX,
            "latency_ms": u64::try_from(latency.as_millis())?,
        });
        let mut command = tied(&programs.join("fake-providers"));
        command.args(["--raw", "--records", &records.to_string(), "--knobs", &knobs.to_string()]);
        let (process, line) = start(&mut command, false, |line| line.starts_with('{'))?;
        let announced: Announced = serde_json::from_str(&line).context("the fake providers said something else")?;
        let token = announced.tenants.into_iter().next().context("no tenant")?.hubspot_token;
        Ok(Self { hubspot: announced.hubspot, token, _process: process })
    }

    /// Where, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.hubspot)
    }

    /// What the fakes have counted.
    pub(crate) async fn stats(&self) -> Result<Value> {
        let answer = reqwest::get(format!("{}/_fake/stats", self.url())).await?.text().await?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// Starts a host with these options; it is ready when this returns.
pub(crate) fn host(programs: &Path, options: &[String], environment: &[(&str, String)]) -> Result<Process> {
    let mut command = tied(&programs.join("syncline"));
    command.arg("run");
    for option in options {
        command.args(["-o", option]);
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let (process, _) = start(&mut command, true, |line| line.contains("syncline is running"))?;
    Ok(process)
}
