//! Pages that were fetched and never committed: what a kill costs. No database sees them, so hosts of debug builds write
//! them down (`syncline::points`).

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::checker::{Checker, End};
use crate::rig::Rig;

/// What was fetched for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wasted {
    /// Pages that had to be fetched again, or were in the middle of being fetched.
    pub pages: u64,
    /// Claims that ended by being taken away.
    pub cut: u64,
    /// Claims that wasted more than the one page they may.
    pub violations: Vec<String>,
    /// Claims that their workers gave up in good order in the middle of a page: nothing but a drain that a page outlasts,
    /// or a database out of reach, may do that.
    pub given_up: Vec<String>,
}

/// Where the hosts of a rig write down what they fetch.
#[must_use]
pub fn file(rig: &Rig) -> PathBuf {
    rig.dir().join("fetches")
}

/// Counts, claim by claim, the fetches that no commit followed.
///
/// # Errors
/// When the file does not hold what it should.
pub fn wasted(rig: &Rig, checker: &Checker) -> Result<Wasted> {
    let text = match std::fs::read_to_string(file(rig)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let mut fetched: HashMap<(i64, i64), i64> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let what = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse().ok()).with_context(|| format!("line {line:?}"));
        let claim = (number()?, number()?);
        *fetched.entry(claim).or_default() += match what {
            "fetch" => 1,
            "refuse" => -1,
            _ => 0,
        };
    }
    Ok(count(&fetched, checker))
}

fn count(fetched: &HashMap<(i64, i64), i64>, checker: &Checker) -> Wasted {
    let mut found = Wasted::default();
    for (key, claim) in checker.claims() {
        found.cut += u64::from(claim.end == Some(End::Reclaimed));
        let pages = i64::try_from(claim.pages).unwrap_or(i64::MAX);
        let wasted = fetched.get(key).copied().unwrap_or(0) - pages;
        found.pages += u64::try_from(wasted).unwrap_or(0);
        let (object, epoch) = key;
        let text = || format!("G5: the claim of object {object} under epoch {epoch} wasted {wasted} pages: {claim:?}");
        if wasted > 1 {
            found.violations.push(text());
        } else if wasted == 1 && claim.end == Some(End::Released) {
            found.given_up.push(text());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::chaos::history::{Event, What};

    fn checker(end: What) -> Checker {
        let event = |what| Event { at: 0, object: 1, what };
        let mut checker = Checker::new(Duration::ZERO);
        let claimed = What::Claimed { epoch: 1, owner: "a".to_owned() };
        checker.read(&[event(claimed), event(What::Advanced { seq: 1 }), event(end)]);
        checker
    }

    #[test]
    fn a_cut_claim_may_waste_one_page_and_a_released_one_none() {
        let fetched = |pages| HashMap::from([((1, 1), pages)]);
        let cut = checker(What::Reclaimed { epoch: 2 });
        let found = count(&fetched(2), &cut);
        assert_eq!((found.pages, found.cut, found.violations.len(), found.given_up.len()), (1, 1, 0, 0));
        assert_eq!(count(&fetched(3), &cut).violations.len(), 1);
        let released = checker(What::Released { epoch: 1 });
        assert_eq!(count(&fetched(1), &released), Wasted::default());
        assert_eq!(count(&fetched(2), &released).given_up.len(), 1);
    }
}
