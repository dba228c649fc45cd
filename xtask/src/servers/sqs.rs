//! A local SQS: `ministack` from the Python package index, in a virtual environment under target/tools.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::proc::{self, Process, tied};
use crate::tools::{find, install, is_root, step};

/// `ministack` and all it needs, pinned.
const REQUIREMENTS: &str = include_str!("ministack.txt");

/// A running server. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Sqs {
    url: String,
    _process: Process,
}

impl Sqs {
    /// Starts a server on a free port, after installing it if need be.
    pub(crate) fn start() -> Result<Self> {
        let python = environment()?;
        let address = free_address()?;
        let mut command = tied("TERM", python);
        command
            .args(["-m", "ministack"])
            .env("BIND_HOST", address.ip().to_string())
            .env("GATEWAY_PORT", address.port().to_string())
            .env("SERVICES", "sqs")
            .env("PERSIST_STATE", "0");
        let process = super::start("sqs", &mut command, || Ok(answers(address)))?;
        Ok(Self { url: format!("http://{address}"), _process: process })
    }

    /// The endpoint.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// The Python of an environment that has `ministack`.
fn environment() -> Result<PathBuf> {
    let directory = super::tools().join("ministack");
    let python = directory.join("bin").join("python");
    let installed = directory.join("installed.txt");
    if python.is_file() && fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(python);
    }
    step("Installing a local SQS server");
    if find("python3").is_none() {
        install("python3", "the SQS server for tests")?;
    }
    make_environment(&directory)?;
    let requirements = directory.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).with_context(|| format!("cannot write {}", requirements.display()))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&requirements);
    proc::run(&mut pip).context("pip cannot install MiniStack: it needs Python 3.10 or newer and a package index")?;
    fs::write(&installed, REQUIREMENTS).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(python)
}

/// Makes an empty virtual environment. Debian keeps the module for it in a package of its own.
fn make_environment(directory: &Path) -> Result<()> {
    let make = || {
        let mut venv = Command::new("python3");
        proc::run(venv.args(["-m", "venv", "--clear"]).arg(directory))
    };
    if make().is_ok() {
        return Ok(());
    }
    proc::check_interrupted()?;
    if find("apt-get").is_none() || !is_root()? {
        bail!("`python3 -m venv` failed: install Python's venv module (on Debian the package python3-venv)");
    }
    install("python3-venv", "the SQS server for tests")?;
    make().context("`python3 -m venv` failed although python3-venv is installed")
}

/// An address that nobody listens on. Someone may take it before the server does, which then ends at once and says so.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    listener.local_addr().context("no free port on 127.0.0.1")
}

/// Whether the server answers that it is well.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let timeout = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
