//! The named places at which a host can be made to die (`syncline::points`).

use crate::rig::backend::Backend;

/// Every place that a running host passes sooner or later on either footing: a renamed or lost one turns a test red.
const PLACES: [&str; 42] = [
    "apply intervals/before",
    "apply intervals/after",
    "begin a token refresh/before",
    "begin a token refresh/after",
    "claim a run/before",
    "claim a run/after",
    "commit a page/before",
    "commit a page/after",
    "delete bells/before",
    "delete bells/after",
    "delete from the outbox/before",
    "delete from the outbox/after",
    "delete jobs/before",
    "delete jobs/after",
    "dispatch/before",
    "dispatch/after",
    "end a token refresh/before",
    "end a token refresh/after",
    "fetch/before",
    "fetch/after",
    "finish a run/before",
    "finish a run/after",
    "forget what is over/before",
    "forget what is over/after",
    "give a run back/before",
    "give a run back/after",
    "keep a pause/before",
    "keep a pause/after",
    "land/before",
    "land/after",
    "note the connector/before",
    "note the connector/after",
    "receive bells/after",
    "receive jobs/after",
    "reclaim expired leases/before",
    "reclaim expired leases/after",
    "renew leases/before",
    "renew leases/after",
    "ring again for unclaimed runs/before",
    "ring again for unclaimed runs/after",
    "take from the outbox/before",
    "take from the outbox/after",
];

/// Those that only a queue outside has.
const OUTSIDE: [&str; 2] = ["send/before", "send/after"];

/// The places that a host on this footing passes.
#[must_use]
pub fn places(backend: Backend) -> Vec<&'static str> {
    let mut all = PLACES.to_vec();
    if backend == Backend::PostgresSqs {
        all.extend(OUTSIDE);
    }
    all
}
