//! Bodies of the fuzz targets for what only the gate reads; see [`crate::fuzz`].

#![allow(clippy::expect_used, clippy::panic, reason = "a body says what it found by a panic")]

use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderValue, RETRY_AFTER};

use super::pace;
use super::target::Target;

/// A URL that is taken is the same to the parser that judges, to that parser the second time, and to the one that the
/// client dials by: another host in any of them is a way around the policy.
pub fn url(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(target) = Target::parse(text) else { return };
    let written = target.url().as_str();
    let again = Target::parse(written).expect("what was judged parses");
    assert_eq!(target, again, "{text:?}");
    assert!(target.url().username().is_empty() && target.url().password().is_none(), "{text:?}");
    let Ok(dialled) = written.parse::<http::Uri>() else { return };
    assert_eq!(dialled.host().map(str::to_owned), Some(target.host().to_string()), "{text:?}");
    let authority = dialled.authority().expect("a host").as_str();
    assert!(!authority.contains('@'), "{text:?}: {authority}");
    let port = dialled.port_u16().unwrap_or_else(|| target.default_port());
    assert_eq!(port, target.port(), "{text:?}");
    if let Ok(address) = target.host().to_string().trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        assert_eq!(target.literal(), Some(address), "{text:?} is an address to everybody but the policy");
    }
}

/// No pause is longer than the longest, whatever a provider asks for.
pub fn retry_after(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
    let longest = Duration::from_secs(86_400);
    for now_ms in [0, 1_760_000_000_000, i64::MAX, i64::MIN] {
        if let Some(pause) = pace::retry_after(&headers, now_ms, longest) {
            assert!(pause <= longest, "{pause:?}");
        }
    }
}
