//! What every command gets: the global options, where to print, how to read the configuration.

use super::Global;
use super::exit::Failure;
use super::output::Output;
use crate::config::{Config, Loaded};
use crate::store::Store;
use crate::{app, telemetry};

/// What every command gets.
pub struct Context {
    /// The global options.
    pub global: Global,
    /// Where to print.
    pub output: Output,
}

impl Context {
    /// Reads the configuration from the file, the environment and `-o`.
    ///
    /// # Errors
    /// [`Failure`] with exit code 78 and everything that is wrong.
    pub fn load_config(&self) -> Result<Loaded, Failure> {
        Config::load(self.global.config.as_deref(), std::env::vars_os(), &self.global.options).map_err(Failure::config)
    }

    /// Starts logging for a process that stays: at the configured level, moved by `-v` and `-q`.
    ///
    /// # Errors
    /// [`Failure`] if logging was started before.
    pub fn start_logging(&self, config: &Config) -> Result<(), Failure> {
        let directives = self.global.directives(config.log.level.as_str());
        Ok(telemetry::init(config.log.format, &directives, self.output.color())?)
    }

    /// Starts logging for a command that answers and ends: warnings, moved by `-v` and `-q`.
    ///
    /// # Errors
    /// [`Failure`] if logging was started before.
    pub fn start_quiet_logging(&self, config: &Config) -> Result<(), Failure> {
        self.start_logging_from("warn", config)
    }

    /// The same, from another level than warnings.
    ///
    /// # Errors
    /// [`Failure`] if logging was started before.
    pub fn start_logging_from(&self, level: &str, config: &Config) -> Result<(), Failure> {
        Ok(telemetry::init(config.log.format, &self.global.directives(level), self.output.color())?)
    }

    /// Reads the configuration and opens the store, with quiet logging: what most commands begin with.
    ///
    /// # Errors
    /// [`Failure`] when the configuration is wrong, or the store cannot be reached or has another schema.
    pub async fn open(&self) -> Result<(Config, Store), Failure> {
        let config = self.load_config()?.config;
        self.start_quiet_logging(&config)?;
        let store = app::open_store(&config, false).await?;
        Ok((config, store))
    }
}

impl Global {
    /// The log directives: `base`, or as many levels above or below it as `-v` and `-q` say.
    #[must_use]
    pub fn directives(&self, base: &str) -> String {
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        if self.verbose == 0 && self.quiet == 0 {
            return base.to_owned();
        }
        let start = LEVELS.iter().position(|level| *level == base).unwrap_or(3);
        let moved = (start + usize::from(self.verbose)).saturating_sub(usize::from(self.quiet));
        LEVELS.get(moved).copied().unwrap_or("trace").to_owned()
    }
}
