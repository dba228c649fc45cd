//! A local SQS: `ministack` from the Python package index, in a virtual environment under target/tools.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::proc::{Process, tied};
use crate::venv;

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
        let python = venv::python("ministack", REQUIREMENTS, "the SQS server for tests")?;
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
