//! The `syncline` program: parse, run, exit code. Everything else is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A host allocates and frees pages of records on every thread, for months. glibc's arenas hold on to what any of them
/// ever needed; this allocator gives it back, and costs less.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    syncline::cli::main()
}
