//! A proxy in front of a server that speaks over TCP or a Unix socket: slow, silent, closed, or cutting connections in
//! the middle of what is said.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

/// What the proxy does to its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Passes everything on.
    Open,
    /// Cuts every connection, and every new one.
    Closed,
    /// Takes everything and passes nothing on, until the mood changes.
    Silent,
}

/// Where the server is.
#[derive(Debug, Clone)]
enum Upstream {
    Tcp(String),
    Unix(PathBuf),
}

/// The proxy. It ends with the value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    habits: Arc<Habits>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Habits {
    delay_ms: AtomicU64,
    cut_every: AtomicU64,
    requests: AtomicU64,
    cuts: AtomicU64,
    connections: AtomicU64,
    stranded: AtomicU64,
}

impl Habits {
    /// Comes back when the connection of this number may go on: never if it is stranded.
    async fn unless_stranded(&self, number: u64) {
        if number < self.stranded.load(Ordering::Relaxed) {
            std::future::pending().await
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// A proxy in front of the Postgres server of this URL.
    ///
    /// # Errors
    /// When the URL names no server.
    pub async fn of_postgres(url: &str) -> Result<Self> {
        let url = Url::parse(url)?;
        let port = url.port().unwrap_or(5432);
        let folder = url.query_pairs().find(|(key, value)| key == "host" && value.starts_with('/'));
        let upstream = match folder {
            Some((_, folder)) => Upstream::Unix(PathBuf::from(&*folder).join(format!(".s.PGSQL.{port}"))),
            None => Upstream::Tcp(format!("{}:{port}", url.host_str().context("no host")?)),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mood, moods) = watch::channel(Mood::Open);
        let habits = Arc::<Habits>::default();
        let task = tokio::spawn(accept(listener, upstream, moods, Arc::clone(&habits)));
        Ok(Self { address, mood, habits, task })
    }

    /// The same URL, through the proxy.
    ///
    /// # Errors
    /// When it is no URL.
    pub fn url(&self, url: &str) -> Result<String> {
        let mut url = Url::parse(url)?;
        url.set_query(None);
        url.set_host(Some("127.0.0.1"))?;
        let refused = |()| anyhow::anyhow!("a URL without a port");
        url.set_port(Some(self.address.port())).map_err(refused)?;
        Ok(url.to_string())
    }

    /// Changes what is done to every connection.
    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Keeps back each piece that passes, in both directions, for so long.
    pub fn delay(&self, each: Duration) {
        self.habits.delay_ms.store(u64::try_from(each.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Cuts a connection whenever so many pieces have been sent to the server, once the last of them has arrived there:
    /// nobody hears whether what was asked has happened. 0 cuts none.
    pub fn cut_every(&self, pieces: u64) {
        self.habits.cut_every.store(pieces, Ordering::Relaxed);
    }

    /// From now on nothing is passed on of what is connected, not even that the server hung up; what connects later is served.
    pub fn strand(&self) {
        self.habits.stranded.store(self.habits.connections.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How many connections were cut so.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.habits.cuts.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, upstream: Upstream, moods: watch::Receiver<Mood>, habits: Arc<Habits>) {
    while let Ok((client, _)) = listener.accept().await {
        let (upstream, mut moods, habits) = (upstream.clone(), moods.clone(), Arc::clone(&habits));
        let number = habits.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            if *moods.borrow_and_update() == Mood::Closed {
                return;
            }
            let _ = client.set_nodelay(true);
            match upstream {
                Upstream::Tcp(address) => {
                    if let Ok(server) = TcpStream::connect(address).await {
                        carry(client, server, moods, &habits, number).await;
                    }
                }
                Upstream::Unix(path) => {
                    if let Ok(server) = UnixStream::connect(path).await {
                        carry(client, server, moods, &habits, number).await;
                    }
                }
            }
        });
    }
}

/// Carries pieces to and fro until somebody hangs up or the connection is cut.
async fn carry<S: AsyncRead + AsyncWrite>(
    client: TcpStream,
    server: S,
    mut moods: watch::Receiver<Mood>,
    habits: &Habits,
    number: u64,
) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let there = one_way(&mut from_client, &mut to_server, moods.clone(), (habits, number), true);
    let back = one_way(&mut from_server, &mut to_client, moods.clone(), (habits, number), false);
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = moods.wait_for(|mood| *mood == Mood::Closed) => {}
    }
}

async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut moods: watch::Receiver<Mood>,
    (habits, number): (&Habits, u64),
    asks: bool,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await;
        let delay = habits.delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if moods.wait_for(|mood| *mood != Mood::Silent).await.is_err() {
            return;
        }
        habits.unless_stranded(number).await;
        let Ok(read @ 1..) = read else { return };
        if to.write_all(buffer.get(..read).unwrap_or_default()).await.is_err() {
            return;
        }
        let every = habits.cut_every.load(Ordering::Relaxed);
        if asks && every > 0 && habits.requests.fetch_add(1, Ordering::Relaxed) % every == every - 1 {
            habits.cuts.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}
