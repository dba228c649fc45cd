//! A host process: started, killed, stopped, continued, drained.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// A running host. Dropping it kills it.
#[derive(Debug)]
pub struct Host {
    child: Child,
    log: PathBuf,
}

impl Host {
    pub(super) fn start(
        binary: &Path,
        config: &Path,
        log: &Path,
        name: &str,
        roles: &str,
        environment: &[(&str, String)],
    ) -> Result<Self> {
        let mut command = Command::new(binary);
        command.arg("--config").arg(config).args(["-o", &format!("host.name={name}"), "run"]);
        if !roles.is_empty() {
            command.args(["--role", roles]);
        }
        let out = File::options().create(true).append(true).open(log)?;
        let child = command
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.ended()?.is_none())
    }

    /// How it ended; none while it is still there.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it has ended by itself, as it does at a named place.
    ///
    /// # Errors
    /// When it is still there after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if began.elapsed() > patience {
                bail!("the host did not end within {patience:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL: it is gone at once, with whatever it was doing.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGSTOP: it stands still and does not know it.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT: it goes on as if nothing had happened.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// SIGTERM: it drains. Answers with how long that took.
    ///
    /// # Errors
    /// When it does not end within `patience`, or not with 0.
    pub fn drain(mut self, patience: Duration) -> Result<Duration> {
        let began = Instant::now();
        self.ask_to_drain()?;
        let status = self.wait(patience).with_context(|| format!("it did not drain:\n{}", self.log()))?;
        ensure!(status.success(), "the host ended with {status}:\n{}", self.log());
        Ok(began.elapsed())
    }

    /// SIGTERM, without waiting for the end.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn ask_to_drain(&self) -> Result<()> {
        self.signal("TERM")
    }

    fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status()?;
        ensure!(status.success(), "kill -{name} {} ended with {status}", self.child.id());
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A frozen process dies of SIGKILL as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
