//! The catalog: which connectors there are, and which one runs for a name.
//!
//! A scan of the plugins folder accepts what is new and refuses, with a reason, what cannot run; a refused file is
//! looked at again when it changes, so that one caught in the middle of a copy is picked up later. Accepted bytes go to
//! the shelf: replacing or removing a file decides what runs next, never what runs now or what is pinned.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use bytes::Bytes;
use semver::Version;

use super::engine::Engine;
use super::error::{LoadError, ResolveError};
use super::load::{Connector, blocking, read};
use super::shelf::{Label, Shelf};
use crate::domain::Digest;

/// Which of a connector's builds an integration insists on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Exactly these bytes.
    Digest(Digest),
    /// Any build of this version.
    Version(Version),
}

impl FromStr for Pin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(digest) = text.strip_prefix("sha256:") {
            return digest
                .parse()
                .map(Self::Digest)
                .map_err(|error| format!("{text:?} is not a sha256 digest: {error}"));
        }
        text.parse()
            .map(Self::Version)
            .map_err(|error| format!("{text:?} is neither sha256:DIGEST nor a version: {error}"))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "sha256:{digest}"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// What a scan changed.
#[derive(Debug, Default)]
pub struct ScanReport {
    /// Accepted by this scan.
    pub added: Vec<Arc<Connector>>,
    /// Accepted before and still there.
    pub unchanged: usize,
    /// No longer in the folder.
    pub removed: Vec<PathBuf>,
    /// Refused by this scan. Files that were refused before for what they are and did not change are not repeated.
    pub refused: Vec<(PathBuf, Arc<LoadError>)>,
}

/// What tells that a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    size: u64,
}

struct Seen {
    stamp: Stamp,
    verdict: Result<Digest, Arc<LoadError>>,
}

#[derive(Default)]
struct Index {
    /// The plugins folder as the last scan saw it.
    files: BTreeMap<PathBuf, Seen>,
    /// Compiled and ready. Everything in the folder, and what else is in use.
    loaded: HashMap<Digest, Arc<Connector>>,
    /// Everything on the shelf.
    labels: HashMap<Digest, Label>,
}

impl Index {
    /// The connectors of the folder with the time their file was written.
    fn current(&self) -> impl Iterator<Item = (&Arc<Connector>, SystemTime)> {
        self.files.values().filter_map(|seen| {
            let digest = seen.verdict.as_ref().ok()?;
            Some((self.loaded.get(digest)?, seen.stamp.modified))
        })
    }
}

/// Connectors by name, version and digest.
pub struct Catalog {
    engine: Arc<Engine>,
    plugins: PathBuf,
    shelf: Arc<Shelf>,
    index: RwLock<Index>,
    scanning: tokio::sync::Mutex<()>,
    /// Held while one component is compiled: two requests for one digest compile it once.
    compiling: tokio::sync::Mutex<()>,
}

impl Catalog {
    /// Opens a catalog over a folder of connectors; `store_dir` is where accepted ones are kept. Nothing is loaded
    /// before the first [`scan`](Self::scan).
    pub fn open(engine: Arc<Engine>, plugins_dir: &Path, store_dir: &Path) -> Result<Self, LoadError> {
        let shelf = Shelf::open(store_dir)?;
        let labels = shelf.labels()?.into_iter().collect();
        Ok(Self {
            engine,
            plugins: plugins_dir.to_owned(),
            shelf: Arc::new(shelf),
            index: RwLock::new(Index { labels, ..Index::default() }),
            scanning: tokio::sync::Mutex::default(),
            compiling: tokio::sync::Mutex::default(),
        })
    }

    /// The engine that its connectors run on.
    #[must_use]
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for `*.wasm` in the plugins folder. Cheap where nothing changed: size and time of each file are compared.
    /// Fails only if the folder cannot be read; the catalog then stays as it was.
    pub async fn scan(&self) -> Result<ScanReport, LoadError> {
        let _one_at_a_time = self.scanning.lock().await;
        let dir = self.plugins.clone();
        let found = blocking(move || list(&dir)).await??;
        let mut report = ScanReport::default();
        for (path, stamp) in &found {
            let known =
                self.index().files.get(path).filter(|seen| seen.stamp == *stamp).map(|seen| seen.verdict.is_ok());
            match known {
                Some(true) => report.unchanged += 1,
                Some(false) => {}
                None => self.look_at(path, *stamp, &mut report).await,
            }
        }
        let mut index = self.index_mut();
        let gone: Vec<PathBuf> = index.files.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
        for path in gone {
            index.files.remove(&path);
            report.removed.push(path);
        }
        // What is neither in the folder nor in use can be loaded again from the shelf.
        let Index { files, loaded, .. } = &mut *index;
        loaded.retain(|digest, connector| {
            let current = || files.values().any(|seen| seen.verdict.as_ref().is_ok_and(|current| current == digest));
            Arc::strong_count(connector) > 1 || current()
        });
        Ok(report)
    }

    /// Accepts or refuses one new or changed file.
    async fn look_at(&self, path: &Path, stamp: Stamp, report: &mut ScanReport) {
        let verdict = match self.accept(path).await {
            Ok((connector, is_new)) => {
                self.warn_of_twins(path, &connector);
                if is_new {
                    report.added.push(Arc::clone(&connector));
                } else {
                    report.unchanged += 1;
                }
                Ok(connector.digest)
            }
            Err(error) => {
                let error = Arc::new(error);
                report.refused.push((path.to_owned(), Arc::clone(&error)));
                if error.is_hosts_fault() {
                    // Not remembered, so that the next scan tries again.
                    self.index_mut().files.remove(path);
                    return;
                }
                Err(error)
            }
        };
        self.index_mut().files.insert(path.to_owned(), Seen { stamp, verdict });
    }

    fn warn_of_twins(&self, path: &Path, new: &Connector) {
        let index = self.index();
        let others = index.files.iter().filter(|(other, _)| other.as_path() != path);
        for (other, seen) in others {
            let twin = seen.verdict.as_ref().ok().filter(|digest| **digest != new.digest);
            let twin = twin.and_then(|digest| index.loaded.get(digest)).map(|twin| &twin.manifest);
            if twin.is_some_and(|twin| (&twin.name, &twin.version) == (&new.manifest.name, &new.manifest.version)) {
                let (name, version) = (&new.manifest.name, &new.manifest.version);
                let (a, b) = (path.display(), other.display());
                tracing::warn!("{a} and {b} are both {name} {version}; the newer file runs. Give each its own version");
            }
        }
    }

    /// Loads a file and puts it on the shelf; tells whether the catalog did not have it ready before.
    async fn accept(&self, path: &Path) -> Result<(Arc<Connector>, bool), LoadError> {
        let (path, limit) = (path.to_owned(), self.engine.options().max_component_bytes);
        let (bytes, digest) = blocking(move || {
            let bytes = Bytes::from(read(&path, limit)?);
            let digest = Digest::of(&bytes);
            Ok::<_, LoadError>((bytes, digest))
        })
        .await??;
        let is_new = match self.loaded(&digest) {
            Some(connector) if self.index().labels.contains_key(&digest) => return Ok((connector, false)),
            known => known.is_none(),
        };
        let connector = self.load_once(digest, bytes.clone()).await?;
        let label = Label {
            name: connector.manifest.name.clone(),
            version: connector.manifest.version.clone(),
            kept_at: SystemTime::now(),
        };
        let (shelf, copy) = (Arc::clone(&self.shelf), label.clone());
        blocking(move || shelf.keep(&digest, &bytes, &copy)).await??;
        self.index_mut().labels.entry(digest).or_insert(label);
        Ok((connector, is_new))
    }

    fn loaded(&self, digest: &Digest) -> Option<Arc<Connector>> {
        self.index().loaded.get(digest).cloned()
    }

    /// The connector of a digest, from the shelf if need be: also one that has left the plugins folder.
    pub async fn by_digest(&self, digest: &Digest) -> Result<Arc<Connector>, ResolveError> {
        if let Some(connector) = self.loaded(digest) {
            return Ok(connector);
        }
        let failed = |source| ResolveError::Load { digest: *digest, source };
        let (shelf, wanted, limit) = (Arc::clone(&self.shelf), *digest, self.engine.options().max_component_bytes);
        let kept = blocking(move || shelf.take(&wanted, limit)).await.map_err(failed)?.map_err(failed)?;
        let bytes = kept.ok_or(ResolveError::UnknownDigest { digest: *digest })?;
        self.load_once(*digest, bytes.into()).await.map_err(failed)
    }

    /// Compiles bytes whose digest is known, unless somebody else just did.
    async fn load_once(&self, digest: Digest, bytes: Bytes) -> Result<Arc<Connector>, LoadError> {
        let _one_at_a_time = self.compiling.lock().await;
        if let Some(connector) = self.loaded(&digest) {
            return Ok(connector);
        }
        let connector = Connector::load(&self.engine, bytes).await?;
        self.index_mut().loaded.insert(digest, Arc::clone(&connector));
        Ok(connector)
    }

    /// The connector that runs for a name. Without a pin that is the highest version in the plugins folder, releases
    /// before pre-releases, the newest file where two have the same; with one it may also come from the shelf.
    pub async fn resolve(&self, name: &str, pin: Option<&Pin>) -> Result<Arc<Connector>, ResolveError> {
        match pin {
            None => self.newest(name),
            Some(Pin::Version(version)) => {
                let digest = self.build_of(name, version)?;
                self.by_digest(&digest).await
            }
            Some(Pin::Digest(digest)) => {
                let connector = self.by_digest(digest).await?;
                if connector.manifest.name == name {
                    Ok(connector)
                } else {
                    let found = connector.manifest.name.clone();
                    Err(ResolveError::WrongName { digest: *digest, name: name.to_owned(), found })
                }
            }
        }
    }

    fn newest(&self, name: &str) -> Result<Arc<Connector>, ResolveError> {
        let index = self.index();
        let best =
            index.current().filter(|(connector, _)| connector.manifest.name == name).max_by_key(|(connector, at)| {
                let version = &connector.manifest.version;
                (version.pre.is_empty(), version, *at)
            });
        best.map(|(connector, _)| Arc::clone(connector)).ok_or_else(|| unknown(&index, name))
    }

    fn build_of(&self, name: &str, version: &Version) -> Result<Digest, ResolveError> {
        let index = self.index();
        let is_it = |connector: &Connector| connector.manifest.name == name && connector.manifest.version == *version;
        let current = index.current().filter(|(connector, _)| is_it(connector)).max_by_key(|(_, at)| *at);
        if let Some((connector, _)) = current {
            return Ok(connector.digest);
        }
        let kept = index.labels.iter().filter(|(_, label)| label.name == name && label.version == *version);
        if let Some((digest, _)) = kept.max_by_key(|(_, label)| label.kept_at) {
            return Ok(*digest);
        }
        let mut known: Vec<&Version> =
            index.labels.values().filter(|label| label.name == name).map(|label| &label.version).collect();
        known.sort_unstable();
        known.dedup();
        if known.is_empty() {
            return Err(unknown(&index, name));
        }
        Err(ResolveError::UnknownVersion {
            name: name.to_owned(),
            version: version.clone(),
            known: known.into_iter().map(ToString::to_string).collect(),
        })
    }

    /// The connectors of the plugins folder, by name and version.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Connector>> {
        let mut all: Vec<_> = self.index().current().map(|(connector, _)| Arc::clone(connector)).collect();
        all.sort_by(|a, b| (&a.manifest.name, &a.manifest.version).cmp(&(&b.manifest.name, &b.manifest.version)));
        all.dedup_by_key(|connector| connector.digest);
        all
    }

    /// The files of the plugins folder that cannot run, and why.
    #[must_use]
    pub fn refused(&self) -> Vec<(PathBuf, Arc<LoadError>)> {
        let index = self.index();
        let why = |(path, seen): (&PathBuf, &Seen)| Some((path.clone(), Arc::clone(seen.verdict.as_ref().err()?)));
        index.files.iter().filter_map(why).collect()
    }
}

fn unknown(index: &Index, name: &str) -> ResolveError {
    const ALIKE: f64 = 0.7;
    let alike = |other: &str| strsim::jaro_winkler(name, other);
    let nearest = index
        .current()
        .map(|(connector, _)| connector.manifest.name.as_str())
        .filter(|other| *other != name && alike(other) >= ALIKE)
        .max_by(|a, b| alike(a).total_cmp(&alike(b)));
    ResolveError::UnknownName { name: name.to_owned(), nearest: nearest.map(str::to_owned) }
}

/// The `*.wasm` files of a folder.
fn list(dir: &Path) -> Result<BTreeMap<PathBuf, Stamp>, LoadError> {
    let failed = |source| LoadError::Read { path: dir.to_owned(), source };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // A file may vanish between the listing and this look, which is the same as not being there.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if let (true, Ok(modified)) = (metadata.is_file(), metadata.modified()) {
            files.insert(path, Stamp { modified, size: metadata.len() });
        }
    }
    Ok(files)
}
