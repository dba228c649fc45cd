//! Child processes that never outlive this one.
//!
//! Each runs in a process group of its own and is polled, so that Ctrl-C or SIGTERM is seen within a moment, the
//! waiting call fails, and every [`Process`] on the stack stops its group as it is dropped. Where `setpriv` exists the
//! kernel also ends servers whose parent was killed outright, see [`tied`].

use std::fmt;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How often a waiting call looks up.
const POLL: Duration = Duration::from_millis(25);

/// How long a process may take to end after it was asked to.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C, SIGTERM and SIGHUP end the waiting calls of this module instead of this process.
pub(crate) fn watch_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot watch for Ctrl-C")?;
    thread::spawn(move || {
        for _ in signals.forever() {
            INTERRUPTED.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}

/// A program ended with another code than 0, or was ended. It has said why itself.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The exit code to pass on.
    pub(crate) code: u8,
    name: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended with {}", self.name, self.code)
    }
}

impl std::error::Error for Failed {}

/// Fails once someone has asked this process to end.
pub(crate) fn check_interrupted() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(Failed { code: 130, name: "this".to_owned() }.into());
    }
    Ok(())
}

/// Waits, unless interrupted.
pub(crate) fn pause(time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        check_interrupted()?;
        thread::sleep(POLL.min(end.saturating_duration_since(Instant::now())));
    }
    check_interrupted()
}

/// Waits until `ready` says so, looking every 25 ms, and fails at the deadline.
pub(crate) fn wait_until(what: &str, deadline: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + deadline;
    while !ready()? {
        if Instant::now() >= end {
            bail!("{what} was not ready after {} s", deadline.as_secs());
        }
        pause(POLL)?;
    }
    Ok(())
}

/// Runs a program to its end with this process's own output. Another exit code than 0 is [`Failed`].
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let mut process = Process::spawn(&program_name(command), command)?;
    let status = process.wait()?;
    process.pass(status)
}

/// Runs a program to its end and returns what it printed on standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let mut process = Process::spawn(&program_name(command), command.stdout(Stdio::piped()))?;
    let mut pipe = process.child.stdout.take().context("no pipe")?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    let status = process.wait()?;
    process.pass(status)?;
    let text = reader.join().map_err(|_| anyhow::anyhow!("the reader of {} failed", process.name))?;
    text.with_context(|| format!("{} printed what is not text", process.name))
}

fn program_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// A command that the kernel ends with `signal` when this process is gone, however it went. Without `setpriv`, the
/// plain command.
pub(crate) fn tied(signal: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    if crate::tools::find("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--pdeathsig={signal}")).arg("--").arg(program);
    command
}

/// A running program. Dropping it ends it and all it started.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    signal: &'static str,
    ended: bool,
}

impl Process {
    /// Starts a program in a process group of its own, without input. The command decides where output goes.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Result<Self> {
        check_interrupted()?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", program_name(command)))?;
        Ok(Self { name: name.to_owned(), child, signal: "TERM", ended: false })
    }

    /// Asks to end with another signal than TERM.
    pub(crate) fn ending_with(mut self, signal: &'static str) -> Self {
        self.signal = signal;
        self
    }

    /// Whether it has ended by itself, and how.
    pub(crate) fn poll(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Waits for its end. Interrupted, it is ended first.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            if let Err(interrupted) = check_interrupted() {
                self.stop(PATIENCE);
                return Err(interrupted);
            }
            thread::sleep(POLL);
        }
    }

    /// Asks the program to end, and after `patience` kills it with all it started. Answers how it ended, or nothing
    /// when it had to be killed.
    pub(crate) fn stop(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.ended {
            return self.child.try_wait().ok().flatten();
        }
        self.ended = true;
        let group = self.child.id();
        let deadline = Instant::now() + patience;
        let mut status = self.child.try_wait().ok().flatten();
        if status.is_none() {
            signal_group(group, self.signal);
        }
        while status.is_none() && Instant::now() < deadline {
            thread::sleep(POLL);
            status = self.child.try_wait().ok().flatten();
        }
        // Also what the program left behind in its group.
        signal_group(group, "KILL");
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
        status
    }

    /// Turns an exit code other than 0 into an error.
    pub(crate) fn pass(&self, status: ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        Err(Failed { code: u8::try_from(code).unwrap_or(1), name: self.name.clone() }.into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(PATIENCE);
    }
}

/// Signals a whole process group. The shell's own `kill` is on every system; that the group may be gone is fine.
fn signal_group(group: u32, signal: &str) {
    let script = format!("kill -s {signal} -- -{group}");
    let _sent = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::sync::mpsc::{self, Receiver};

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Starts a program and hands out the lines of its standard output.
    fn spawn_read(name: &str, command: &mut Command) -> (Process, Receiver<String>) {
        let mut process = Process::spawn(name, command.stdout(Stdio::piped())).unwrap();
        let pipe = process.child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(pipe).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)))
        });
        (process, lines)
    }

    fn is_alive(pid: &str) -> bool {
        Command::new("sh").args(["-c", &format!("kill -0 {pid}")]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[test]
    fn a_dropped_process_takes_along_what_it_started() {
        let (process, lines) = spawn_read("parent", &mut shell("sleep 60 & echo $!; wait"));
        let grandchild = lines.recv_timeout(PATIENCE).unwrap();
        assert!(is_alive(&grandchild));
        let began = Instant::now();
        drop(process);
        assert!(began.elapsed() < PATIENCE, "it ends when asked, not when killed");
        let end = Instant::now() + PATIENCE;
        while is_alive(&grandchild) && Instant::now() < end {
            thread::sleep(POLL);
        }
        assert!(!is_alive(&grandchild));
    }

    #[test]
    fn a_process_that_does_not_listen_is_killed_in_the_end() {
        let script = "trap '' TERM; echo ready; while true; do sleep 1; done";
        let (mut process, lines) = spawn_read("deaf", &mut shell(script));
        assert_eq!(lines.recv_timeout(PATIENCE).unwrap(), "ready");
        assert_eq!(process.stop(Duration::from_millis(200)), None);
    }

    #[test]
    fn a_program_that_fails_passes_its_code_on() {
        let failed = |script| run(&mut shell(script)).unwrap_err().downcast::<Failed>().unwrap().code;
        assert_eq!(failed("exit 7"), 7);
        assert_eq!(failed("kill -KILL $$"), 137);
        assert_eq!(output(&mut shell("echo text")).unwrap(), "text\n");
    }
}
