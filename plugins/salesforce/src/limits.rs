//! The `Sforce-Limit-Info` header: how much of the org's daily quota is used.
//!
//! `api-usage=10018/100000`, with other parts beside it now and then (`api-bursts=1/750`,
//! `per-app-api-usage=17/250(appName=x)`): read by key, the rest ignored.

/// Percent of the org's rolling 24 hours of requests that are used, rounded down.
pub(crate) fn usage_percent(header: &str) -> Option<u64> {
    let usage = header.split([';', ',']).find_map(|part| part.trim().strip_prefix("api-usage="))?;
    let (used, allowed) = usage.split_once('/')?;
    let used: u64 = used.trim().parse().ok()?;
    let allowed: u64 = allowed.split('(').next()?.trim().parse().ok()?;
    used.checked_mul(100)?.checked_div(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_found_by_its_key_among_other_parts() {
        assert_eq!(usage_percent("api-usage=10018/100000"), Some(10));
        assert_eq!(usage_percent("api-bursts=1/750; api-usage=96/100; per-app-api-usage=17/250(appName=x)"), Some(96));
    }

    #[test]
    fn a_header_without_usage_says_nothing() {
        assert_eq!(usage_percent("per-app-api-usage=17/250(appName=x)"), None);
        assert_eq!(usage_percent("api-usage=1/0"), None);
        assert_eq!(usage_percent(""), None);
    }
}
