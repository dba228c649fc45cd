//! The versions of the contract that this host speaks, one file each, and the one place that picks among them.
//!
//! A new version is a new file, a case in [`World`] and one in [`Instance`]; nothing outside of this folder changes.

mod v0_1;

use semver::Version;
use wasmtime::Store;
use wasmtime::component::{Component, Linker};

use super::state::State;
use crate::domain::{AuthScheme, ObjectType, Page, ProviderError, RateHint};

/// The oldest and the newest version of the contract spoken here.
pub(crate) const OLDEST: Version = Version::new(0, 1, 0);
pub(crate) const NEWEST: Version = Version::new(0, 1, 0);

/// What a call may know of its integration.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a str,
    pub(crate) auth: &'a str,
    pub(crate) page_size: u32,
}

/// A manifest as the guest gave it: nothing in it is checked.
pub(crate) struct RawManifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) title: String,
    pub(crate) config_schema: String,
    pub(crate) auth: Vec<AuthScheme>,
    pub(crate) hosts: Vec<String>,
    pub(crate) rate: Option<RateHint>,
}

/// What the guest answered: the outer error is the runtime's, the inner one the guest's.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, ProviderError>>;

/// A linker for every version.
pub(crate) struct Linkers {
    v0_1: Linker<State>,
}

impl Linkers {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        Ok(Self { v0_1: v0_1::linker(engine)? })
    }
}

/// A compiled component, bound to the version it was built for.
pub(crate) enum World {
    V0_1(v0_1::Pre),
}

impl World {
    /// Binds a component whose declared version [`super::inspect`] has accepted.
    pub(crate) fn link(linkers: &Linkers, component: &Component) -> wasmtime::Result<Self> {
        Ok(Self::V0_1(v0_1::Pre::new(linkers.v0_1.instantiate_pre(component)?)?))
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Instance> {
        match self {
            Self::V0_1(pre) => Ok(Instance::V0_1(pre.instantiate_async(store).await?)),
        }
    }
}

/// A running component.
pub(crate) enum Instance {
    V0_1(v0_1::Instance),
}

impl Instance {
    pub(crate) async fn describe(&self, store: &mut Store<State>) -> wasmtime::Result<RawManifest> {
        match self {
            Self::V0_1(guest) => v0_1::describe(guest, store).await,
        }
    }

    pub(crate) async fn check(&self, store: &mut Store<State>, cx: &Context<'_>) -> Answer<()> {
        match self {
            Self::V0_1(guest) => v0_1::check(guest, store, cx).await,
        }
    }

    pub(crate) async fn discover(&self, store: &mut Store<State>, cx: &Context<'_>) -> Answer<Vec<ObjectType>> {
        match self {
            Self::V0_1(guest) => v0_1::discover(guest, store, cx).await,
        }
    }

    pub(crate) async fn fetch(
        &self,
        store: &mut Store<State>,
        cx: &Context<'_>,
        object: &str,
        cursor: Option<&str>,
    ) -> Answer<Page> {
        match self {
            Self::V0_1(guest) => v0_1::fetch(guest, store, cx, object, cursor).await,
        }
    }
}
