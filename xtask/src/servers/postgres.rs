//! A Postgres cluster of its own in a temporary directory, reached over a unix socket only.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::proc::{self, Process, tied};
use crate::tools::{find, id, install, is_root};

/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Nothing in this cluster is worth keeping, so it need not reach the disk; and every test has its own connections.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "max_connections=200",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
];

/// A running cluster. Gone when dropped, the data with it.
#[derive(Debug)]
pub(crate) struct Postgres {
    url: String,
    // Dropped in this order: first the server, then its directory.
    _process: Process,
    _directory: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts it, after installing Postgres if need be and possible.
    pub(crate) fn start() -> Result<Self> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                install("postgresql", "the Postgres server for tests")?;
                programs().with_context(|| format!("no initdb on the PATH or under {DEBIAN}"))?
            }
        };
        let user = user()?;
        // A socket's path must stay under 108 characters, which a deep temporary directory does not leave.
        let directory =
            tempfile::Builder::new().prefix("syncline-pg-").tempdir_in("/tmp").context("cannot use /tmp")?;
        let path = directory.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        if let Some((uid, gid)) = user {
            chown(path, Some(uid), Some(gid)).with_context(|| format!("cannot hand over {}", path.display()))?;
        }

        let data = path.join("data");
        let mut initdb = command(user, &programs.join("initdb"), path);
        initdb.args(["--username=test", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        initdb.arg("--pgdata").arg(&data).stdout(Stdio::null());
        proc::run(&mut initdb).context("initdb failed")?;

        let mut server = command(user, &programs.join("postgres"), path);
        server.arg("-D").arg(&data).arg("-k").arg(path);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        let isready = programs.join("pg_isready");
        let process = super::start("postgres", &mut server, || {
            let mut asked = Command::new(&isready);
            let asked = asked.args(["--quiet", "--dbname=postgres", "--username=test", "--host"]).arg(path);
            Ok(asked.status().context("cannot run pg_isready")?.success())
        })?;
        // QUIT is Postgres's "immediately": no checkpoint for data that is thrown away.
        let process = process.ending_with("QUIT");
        let url = format!("postgres://test@localhost/postgres?host={}", path.display());
        Ok(Self { url, _process: process, _directory: directory })
    }

    /// The address, as sqlx takes it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The directory of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").is_file())
        .max();
    // On the PATH there may be a link to the programs, which look for each other beside them.
    newest.map(|(_, programs)| programs).or_else(|| Some(find("initdb")?.canonicalize().ok()?.parent()?.to_owned()))
}

/// Postgres refuses to serve the superuser: whom to become instead.
fn user() -> Result<Option<(u32, u32)>> {
    if !is_root()? {
        return Ok(None);
    }
    if find("setpriv").is_none() {
        bail!(
            "Postgres does not run as root and `setpriv` is missing: run this as another user, or install util-linux"
        );
    }
    for name in ["postgres", "nobody"] {
        if let (Ok(uid), Ok(gid)) = (id("-u", Some(name)), id("-g", Some(name))) {
            return Ok(Some((uid, gid)));
        }
    }
    bail!("Postgres does not run as root and there is no user `postgres` or `nobody`: run this as another user")
}

/// A program of Postgres, as the user it accepts, ended when we are.
fn command(user: Option<(u32, u32)>, program: &Path, directory: &Path) -> Command {
    let mut command = match user {
        None => tied("QUIT", program),
        Some((uid, gid)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
            command.args(["--clear-groups", "--pdeathsig=QUIT", "--"]).arg(program);
            command
        }
    };
    // A directory that this user may enter; and the caller's own settings stay out.
    for variable in ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS"] {
        command.env_remove(variable);
    }
    command.current_dir(directory);
    command
}
