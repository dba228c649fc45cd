//! Fuzzing: cargo-fuzz over the targets of `fuzz/`, beginning with the kept seeds.

use anyhow::{Context, Result, ensure};

use crate::tools::{find, root, step};
use crate::{proc, tools};

/// What to fuzz.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The target; all of them, one after the other, if none is named.
    target: Option<String>,
    /// How long, for each.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What cargo-fuzz builds with: none, address, ...
    #[arg(long, default_value = "none")]
    sanitizer: String,
}

/// Builds the targets with the nightly compiler and runs them. What a target finds stays in `fuzz/artifacts`.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(find("cargo-fuzz").is_some(), "fuzzing needs cargo-fuzz: run `cargo install cargo-fuzz --locked`");
    let all = targets()?;
    let chosen: Vec<&String> =
        all.iter().filter(|target| options.target.as_ref().is_none_or(|wanted| wanted == *target)).collect();
    ensure!(!chosen.is_empty(), "no such target; there are {}", all.join(", "));
    for target in chosen {
        step(&format!("Fuzzing {target} for {} s", options.seconds));
        let (corpus, seeds) =
            (tools::target().join("fuzz-corpus").join(target), root().join("fuzz/seeds").join(target));
        std::fs::create_dir_all(&corpus)?;
        // The `cargo` on the path, which understands `+nightly`; the one that runs us does not.
        let mut command = std::process::Command::new("cargo");
        command.current_dir(root());
        command.args(["+nightly", "fuzz", "run", "--sanitizer", &options.sanitizer, target]);
        // New inputs go into the first folder; the seeds are only read.
        command.arg(&corpus).arg(&seeds).arg("--");
        command.arg(format!("-max_total_time={}", options.seconds)).args(["-timeout=10", "-rss_limit_mb=2048"]);
        proc::run(command.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTFLAGS"))?;
    }
    Ok(())
}

/// The names of the targets: each has a folder of seeds.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/seeds");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
