//! Birch, as the sins need it.

use std::path::Path;

use syncline::kit::synthetic::{self, Options, Synthetic};

const BIRCH: &str = include_str!("birch.toml");

/// In which order Birch lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// What changed last comes last.
    Stamps,
    /// What changes while somebody reads stays where it is. Such a list has no end before its own.
    Ids,
}

/// Starts Birch.
pub(super) async fn birch(order: Order) -> Synthetic {
    let text = match order {
        Order::Stamps => BIRCH.to_owned(),
        Order::Ids => BIRCH.replace("sort = \"updated\"", "sort = \"id\"").replace("capped = true", "capped = false"),
    };
    let description = synthetic::parse(Path::new("birch.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
    Synthetic::start(description, Options { seed: 1, ..Options::default() }).await.unwrap()
}
