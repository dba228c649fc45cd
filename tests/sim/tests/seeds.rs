//! The short form of the simulation: the same seeds every time, on both databases. `cargo xtask sim` is the long one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use syncline_sim::{Backend, Simulator};

/// Lives the worlds of these seeds through; the first of them twice, which must take the same steps.
fn live(backend: Backend, seeds: std::ops::Range<u64>, twice: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let simulator = Simulator::open(backend).await.unwrap();
        for seed in seeds.clone() {
            let report = match simulator.live(seed, false).await {
                Ok(report) => report,
                Err(failure) => {
                    let backend = format!("{backend:?}").to_lowercase();
                    panic!(
                        "{}\nseed {seed}: {:#}\nall of it: cargo xtask sim --seeds {seed}..{} --backend {backend} --trace",
                        failure.trace.join("\n"),
                        failure.error,
                        seed + 1
                    );
                }
            };
            if seed < seeds.start + twice {
                let again = simulator.live(seed, false).await.map_err(|failure| failure.error).unwrap();
                assert_eq!(report, again, "seed {seed} took other steps the second time");
            }
        }
        simulator.close().await.unwrap();
    });
}

#[test]
fn every_promise_holds_after_every_step_on_sqlite() {
    live(Backend::Sqlite, 0..250, 10);
}

#[test]
fn every_promise_holds_after_every_step_on_postgres() {
    live(Backend::Postgres, 0..40, 3);
}
