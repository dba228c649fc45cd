//! Mutants of the guards: each takes one guard out of a copy of the sources, and a test must turn red.
//!
//! Tools that mutate Rust do not look into SQL, where most guards are, so the mutants are written down here: a file, the
//! very text, and what stands there instead. A text that is no longer found, one that does not compile, and one that no
//! test notices are all failures.
//!
//! What is mutated is the last commit, unpacked under `target/mutants`, with a target directory that begins as hard links
//! to ours: only the workspace's own crates are built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::check::{PLUGINS, POSTGRES};
use crate::servers::Postgres;
use crate::tools::{cargo, root, step, target};
use crate::{plugins, proc};

/// Which mutants.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only those whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Do not run the tests without a mutant first.
    #[arg(long)]
    no_baseline: bool,
}

/// A test program and which of its tests.
struct Check {
    package: &'static str,
    test: &'static str,
    filter: &'static str,
}

const fn store(filter: &'static str) -> Check {
    Check { package: "syncline", test: "store", filter }
}

const fn sim(filter: &'static str) -> Check {
    Check { package: "syncline-sim", test: "seeds", filter }
}

/// A guard that is taken out.
struct Mutant {
    name: &'static str,
    file: &'static str,
    /// Texts, each of which is there exactly once, and what stands there instead.
    edits: &'static [(&'static str, &'static str)],
    /// What may notice, the likeliest first.
    checks: &'static [Check],
}

const RUNS: &str = "host/src/store/runs.rs";
const CLAIM: &str = "host/src/store/runs/claim.rs";
const SCHEDULE: &str = "host/src/store/schedule.rs";
const LANDING: &str = "host/src/store/landing.rs";

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "commit-epoch-sqlite",
        file: RUNS,
        edits: &[(
            "WHERE id = $1 AND epoch = $2 AND lease_owner = $3 RETURNING cursor_seq, customer_id",
            "WHERE id = $1 AND (epoch = $2 OR 1 = 1) AND lease_owner = $3 RETURNING cursor_seq, customer_id",
        )],
        checks: &[sim("sqlite"), store("fences::sqlite")],
    },
    Mutant {
        name: "commit-epoch-postgres",
        file: RUNS,
        edits: &[(
            "WHERE id = $1 AND epoch = $2 AND lease_owner = $3\n                        RETURNING id",
            "WHERE id = $1 AND (epoch = $2 OR 1 = 1) AND lease_owner = $3\n                        RETURNING id",
        )],
        checks: &[sim("postgres"), store("fences::postgres")],
    },
    Mutant {
        name: "commit-owner-sqlite",
        file: RUNS,
        edits: &[(
            "WHERE id = $1 AND epoch = $2 AND lease_owner = $3 RETURNING cursor_seq, customer_id",
            "WHERE id = $1 AND epoch = $2 AND (lease_owner = $3 OR 1 = 1) RETURNING cursor_seq, customer_id",
        )],
        checks: &[store("fences::sqlite"), sim("sqlite")],
    },
    Mutant {
        name: "commit-owner-postgres",
        file: RUNS,
        edits: &[(
            "WHERE id = $1 AND epoch = $2 AND lease_owner = $3\n                        RETURNING id",
            "WHERE id = $1 AND epoch = $2 AND (lease_owner = $3 OR 1 = 1)\n                        RETURNING id",
        )],
        checks: &[store("fences::postgres"), sim("postgres")],
    },
    Mutant {
        name: "finish-epoch",
        file: RUNS,
        edits: &[(
            "WHERE id = $1 AND epoch = $2 AND lease_owner = $3 RETURNING integration_id",
            "WHERE id = $1 AND (epoch = $2 OR 1 = 1) AND lease_owner = $3 RETURNING integration_id",
        )],
        checks: &[sim("sqlite"), store("fences::")],
    },
    Mutant {
        name: "give-back-epoch",
        file: RUNS,
        edits: &[(
            "WHERE id = $1 AND epoch = $2 AND lease_owner = $3 RETURNING active",
            "WHERE id = $1 AND (epoch = $2 OR 1 = 1) AND lease_owner = $3 RETURNING active",
        )],
        checks: &[sim("sqlite"), store("fences::")],
    },
    Mutant {
        name: "renew-epoch",
        file: RUNS,
        edits: &[
            ("o.epoch = l.epoch AND", "(o.epoch = l.epoch OR TRUE) AND"),
            ("(id, epoch) IN", "(id, 1) IN"),
            (
                "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each($2))",
                "(SELECT json_extract(value, '$[0]'), 1 FROM json_each($2))",
            ),
        ],
        checks: &[store("fences::"), sim("sqlite")],
    },
    Mutant {
        name: "note-connector-state",
        file: CLAIM,
        edits: &[("WHERE id = $1 AND epoch = $2 AND state = 'running'", "WHERE id = $1 AND epoch = $2")],
        checks: &[sim("sqlite"), store("fences::")],
    },
    Mutant {
        name: "claim-held",
        file: CLAIM,
        edits: &[
            ("AND active = 1 AND lease_until IS NULL", "AND active = 1"),
            ("AND r.state = 'dispatched'", "AND r.state IN ('dispatched', 'running')"),
            ("WHERE id = $1 AND state = 'dispatched' AND", "WHERE id = $1 AND"),
        ],
        checks: &[sim("sqlite"), store("claims::")],
    },
    Mutant {
        name: "claim-epoch",
        file: CLAIM,
        edits: &[("SET epoch = epoch + 1, attempts", "SET epoch = epoch + 0, attempts")],
        checks: &[sim("sqlite"), store("claims::")],
    },
    Mutant {
        name: "lease-expiry",
        file: SCHEDULE,
        edits: &[
            ("WHERE o.lease_until < ", "WHERE o.lease_until - 15000 < "),
            ("FROM objects WHERE lease_until < ", "FROM objects WHERE lease_until - 15000 < "),
        ],
        checks: &[sim("sqlite"), store("recovery::")],
    },
    Mutant {
        name: "throttle-sqlite",
        file: SCHEDULE,
        edits: &[
            (" - $2)\n           ORDER BY due_at LIMIT $1)", " - $2 / 2)\n           ORDER BY due_at LIMIT $1)"),
            (" - $1) LIMIT 1", " - $1 / 2) LIMIT 1"),
        ],
        checks: &[sim("sqlite"), store("dispatch::sqlite")],
    },
    Mutant {
        name: "throttle-postgres",
        file: SCHEDULE,
        edits: &[
            (" - $2)\n        ORDER BY o.due_at LIMIT $1", " - $2 / 2)\n        ORDER BY o.due_at LIMIT $1"),
            (" - $1) LIMIT 1", " - $1 / 2) LIMIT 1"),
        ],
        checks: &[sim("postgres"), store("dispatch::postgres")],
    },
    Mutant {
        name: "resend-unclaimed",
        file: SCHEDULE,
        edits: &[(
            "if runs.is_empty() {\n                return Ok(0);",
            "if runs.len() < 1_000 {\n                return Ok(0);",
        )],
        checks: &[sim("sqlite"), store("recovery::")],
    },
    Mutant {
        name: "version-sqlite",
        file: "host/src/store/landing/sqlite.rs",
        edits: &[("WHERE version < excluded.version", "WHERE version <> excluded.version")],
        checks: &[store("properties::"), store("landing::sqlite")],
    },
    Mutant {
        name: "version-postgres",
        file: "host/src/store/landing/postgres.rs",
        edits: &[("WHERE x.version < EXCLUDED.version", "WHERE x.version <> EXCLUDED.version")],
        checks: &[store("properties::"), store("landing::postgres")],
    },
    Mutant {
        name: "landed-by-another",
        file: LANDING,
        edits: &[("if mine.len() != landing.batches.len() {", "if mine.len() > landing.batches.len() {")],
        checks: &[store("landing::"), sim("sqlite")],
    },
    Mutant {
        name: "sweep-bound",
        file: LANDING,
        edits: &[(
            ".bind(version(seq + 1, 0))\n                        .bind(last - doomed.0)",
            ".bind(version(seq + 2, 0))\n                        .bind(last - doomed.0)",
        )],
        checks: &[sim("sqlite"), store("sweeps::")],
    },
];

/// Builds a copy, and lets every mutant live in it for as long as nobody notices.
pub(crate) fn run(options: &Options) -> Result<()> {
    let plugins = match std::env::var_os(PLUGINS) {
        Some(built) => built.into(),
        None => plugins::build_all()?,
    };
    let server = if std::env::var_os(POSTGRES).is_some() { None } else { Some(Postgres::start()?) };
    let copy = Copy::of_the_last_commit(plugins, server.as_ref().map(|server| server.url().to_owned()))?;
    let chosen: Vec<&Mutant> = (MUTANTS.iter())
        .filter(|mutant| options.only.as_ref().is_none_or(|only| mutant.name.contains(only.as_str())))
        .collect();
    ensure!(!chosen.is_empty(), "no mutant has such a name");
    if !options.no_baseline {
        step("Without a mutant");
        for check in chosen.iter().flat_map(|mutant| mutant.checks).filter(|check| check.test == "seeds").take(1) {
            ensure!(copy.passes(check)?, "{} {} fails without any mutant", check.test, check.filter);
        }
        ensure!(copy.passes(&store(""))?, "the store's tests fail without any mutant");
    }
    let mut survivors = Vec::new();
    for mutant in &chosen {
        let began = Instant::now();
        let noticed = copy.with(mutant, |copy| {
            for check in mutant.checks {
                if !copy.passes(check)? {
                    return Ok(Some(check));
                }
            }
            Ok(None)
        })?;
        let seconds = began.elapsed().as_secs();
        match noticed {
            Some(check) => {
                println!("{:24} caught by {} {} ({seconds} s)", mutant.name, check.test, check.filter);
            }
            None => {
                println!("{:24} SURVIVED ({seconds} s)", mutant.name);
                survivors.push(mutant.name);
            }
        }
    }
    ensure!(survivors.is_empty(), "no test noticed {}", survivors.join(", "));
    println!("{} mutants, all caught", chosen.len());
    Ok(())
}

/// A copy of the sources that can be built.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
    plugins: PathBuf,
    postgres: Option<String>,
}

impl Copy {
    fn of_the_last_commit(plugins: PathBuf, postgres: Option<String>) -> Result<Self> {
        step("Copying the last commit");
        let home = target().join("mutants");
        let copy = Self { tree: home.join("tree"), target: home.join("target"), plugins, postgres };
        let _not_there = fs::remove_dir_all(&copy.tree);
        fs::create_dir_all(&copy.tree)?;
        let archive = home.join("commit.tar");
        let git = ["archive", "--format=tar", "-o"];
        proc::run(Command::new("git").current_dir(root()).args(git).arg(&archive).arg("HEAD"))?;
        // With the time of now: what is older than its build would not be built again.
        proc::run(Command::new("tar").arg("-xmf").arg(&archive).arg("-C").arg(&copy.tree))?;
        let ours = target().join("debug");
        let theirs = copy.target.join("debug");
        if !theirs.is_dir() {
            fs::create_dir_all(&theirs)?;
            for part in ["build", "deps", ".fingerprint"] {
                proc::run(Command::new("cp").arg("-al").arg(ours.join(part)).arg(&theirs))?;
            }
        }
        Ok(copy)
    }

    /// Does something while a mutant lives.
    fn with<T>(&self, mutant: &Mutant, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let path = self.tree.join(mutant.file);
        let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut changed = source.clone();
        for (from, to) in mutant.edits {
            let found = changed.matches(from).count();
            ensure!(found == 1, "{}: {:?} is {found} times in {}", mutant.name, from, mutant.file);
            changed = changed.replacen(from, to, 1);
        }
        step(mutant.name);
        fs::write(&path, changed)?;
        let done = work(self);
        fs::write(&path, source)?;
        done
    }

    fn passes(&self, check: &Check) -> Result<bool> {
        let built = self.cargo(check, true)?.stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
        if !built.status.success() {
            bail!("it does not compile: {}", String::from_utf8_lossy(&built.stderr));
        }
        proc::check_interrupted()?;
        let tested = self.cargo(check, false)?.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        proc::check_interrupted()?;
        Ok(tested.success())
    }

    fn cargo(&self, check: &Check, only_build: bool) -> Result<Command> {
        let mut command = cargo();
        command.current_dir(absolute(&self.tree)?).env("CARGO_TARGET_DIR", absolute(&self.target)?);
        command.args(["test", "--quiet", "-p", check.package, "--test", check.test]);
        if only_build {
            command.arg("--no-run");
        } else {
            command.arg(check.filter);
        }
        command.env(PLUGINS, &self.plugins);
        if let Some(url) = &self.postgres {
            command.env(POSTGRES, url);
        }
        Ok(command)
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{} is gone", path.display()))
}
