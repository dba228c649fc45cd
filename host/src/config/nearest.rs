//! "Did you mean": the nearest of the names that exist.

/// The candidate nearest to `word`, if one is near enough to be what was meant.
///
/// Near enough: at most a third of its letters differ, counting two swapped neighbours as one.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_the_name() {
        assert_eq!(nearest("intervall", ["throttle", "interval"]), Some("interval"));
        assert_eq!(nearest("hoets", ["hosts", "rate"]), Some("hosts"));
        assert_eq!(nearest("ACME", ["acme"]), Some("acme"));
    }

    #[test]
    fn a_name_that_is_far_from_all_gets_no_suggestion() {
        assert_eq!(nearest("banana", ["throttle", "interval"]), None);
        assert_eq!(nearest("x", ["url"]), None);
    }
}
