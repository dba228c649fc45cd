//! The one place where a URL from outside is parsed.
//!
//! What is checked here is what is dialled later: nobody parses the text a second time.

use std::net::IpAddr;

use url::{Host, Url};

use super::denial::{Denial, Rule};
use super::patterns::normal_name;

/// Longest URL that is looked at, in bytes.
pub(crate) const MAX_URL_BYTES: usize = 8 * 1024;

/// A parsed and normalised http or https URL without user information and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
}

impl Target {
    /// Parses a URL. Which hosts and schemes are allowed is not decided here.
    pub(super) fn parse(text: &str) -> Result<Self, Denial> {
        if text.len() > MAX_URL_BYTES {
            return Err(Denial::new(Rule::Url, format!("the URL is longer than {MAX_URL_BYTES} bytes")));
        }
        // Parsers disagree about these; a URL that needs them spells them as percent escapes.
        if text.contains(|char: char| char.is_control() || char.is_whitespace() || char == '\\') {
            return Err(Denial::new(Rule::Url, "the URL holds spaces, control characters or backslashes"));
        }
        let url =
            Url::parse(text).map_err(|error| Denial::new(Rule::Url, format!("the URL does not parse: {error}")))?;
        Self::of(url)
    }

    /// Resolves the `Location` of a redirect against the URL that answered with it.
    pub(super) fn join(&self, location: &str) -> Result<Self, Denial> {
        let url = self.url.join(location).map_err(|error| {
            Denial::new(Rule::Redirect, format!("the redirect of {} does not parse: {error}", self.host))
        })?;
        Self::parse(url.as_str())
    }

    fn of(mut url: Url) -> Result<Self, Denial> {
        let scheme = url.scheme().to_owned();
        if scheme != "https" && scheme != "http" {
            return Err(Denial::new(Rule::Scheme, "the URL must begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Denial::new(Rule::Url, "the URL carries user information; the host adds credentials itself"));
        }
        let wrong_host = || Denial::new(Rule::Url, "the URL has no usable host name");
        let host = match url.host().ok_or_else(wrong_host)? {
            Host::Domain(name) => {
                let normal = normal_name(name).ok_or_else(wrong_host)?.to_owned();
                if normal.len() != name.len() {
                    url.set_host(Some(&normal)).map_err(|_| wrong_host())?;
                }
                Host::Domain(normal)
            }
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => Host::Ipv6(address),
        };
        url.set_fragment(None);
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or_else(wrong_host)?;
        Ok(Self { url, host, port })
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    pub(super) const fn host(&self) -> &Host<String> {
        &self.host
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The port that goes without saying.
    pub(super) fn default_port(&self) -> u16 {
        if self.is_https() { 443 } else { 80 }
    }

    /// The address, if the host is spelled as one.
    pub(super) const fn literal(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// Host, and port if it is not the scheme's: what a `Host` header and a host pattern hold.
    pub(super) fn authority(&self) -> String {
        if self.port == self.default_port() { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    pub(super) fn same_origin(&self, other: &Self) -> bool {
        self.url.scheme() == other.url.scheme() && self.host == other.host && self.port == other.port
    }

    /// Whether the query has a parameter of that name.
    pub(super) fn has_query(&self, name: &str) -> bool {
        self.url.query_pairs().any(|(key, _)| key == name)
    }

    /// Takes every parameter of that name out of the query and leaves the others exactly as they are spelled.
    pub(super) fn without_query(&self, name: &str) -> Self {
        if !self.has_query(name) {
            return self.clone();
        }
        let mut clean = self.clone();
        let kept: Vec<&str> = self
            .url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| url::form_urlencoded::parse(pair.as_bytes()).all(|(key, _)| key != name))
            .collect();
        clean.url.set_query((!kept.is_empty()).then(|| kept.join("&")).as_deref());
        clean
    }

    /// Adds a query parameter behind the others.
    pub(super) fn with_query(&self, name: &str, value: &str) -> Self {
        let mut longer = self.clone();
        longer.url.query_pairs_mut().append_pair(name, value);
        longer
    }

    /// For logs and messages: no query, which is where secrets and personal data are.
    pub(super) fn without_secrets(&self) -> String {
        format!("{}://{}{}", self.url.scheme(), self.authority(), self.url.path())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::egress::address;

    #[test]
    fn every_spelling_of_an_inner_address_is_seen_as_that_address_or_refused() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.0.0x/",
            "http://127.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0x0.0x0.0x1/",
            "http://0x7F.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://0177.0000.0000.0001/",
            "http://127.0.0.1./",
            "http://127.1./",
            "http://127.0.0.1:80/",
            "http://127.0.0.1:443/",
            "https://127.0.0.1:65535/",
            "http://127.00.00.01/",
            "http://0/",
            "http://0.0.0.0/",
            "http://0x0/",
            "http://00/",
            "http://10.1/",
            "http://0xa.1/",
            "http://012.0.0.1/",
            "http://167772161/",
            "http://0xa9fea9fe/",
            "http://2852039166/",
            "http://169.254.43518/",
            "http://0251.0376.0251.0376/",
            "http://192.168.1/",
            "http://0xc0.0xa8.0x1/",
            "http://172.1048577/",
            "http://100.64.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[0000::0001]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:127.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:1::1]/",
            "http://[fd00:ec2::254]/",
            "http://[fe80::1]/",
            "http://[FE80::1]/",
            "http://[ff02::1]/",
            "http://[fc00::]:8080/",
            "http://１２７.０.０.１/",
            "http://①②⑦.0.0.1/",
            "http://127。0。0。1/",
            "http://127．0．0．1/",
            "http://127｡0｡0｡1/",
            "http://%31%32%37.0.0.1/",
            "http://127%2e0%2e0%2e1/",
            "http://127.0.0.1%2e/",
            "http://127.0.0.1#@x.com/",
            "http://127.0.0.1?@x.com/",
            "http://127.0.0.1/@x.com",
            "HTTP://127.0.0.1/",
            "http:127.0.0.1/",
            "http:/127.0.0.1/",
            "http:///127.0.0.1/",
            "http:////127.0.0.1/",
            "http://127.0.0.1:00080/",
            "http://0x7f.0.0.0x1./",
        ] {
            if let Ok(target) = Target::parse(url) {
                let literal =
                    target.literal().unwrap_or_else(|| panic!("{url} was taken for the name {}", target.host()));
                assert!(address::refusal(literal).is_some(), "{url} was taken for {literal}");
            }
        }
    }

    #[test]
    fn ambiguous_urls_are_refused() {
        for url in [
            "",
            "x.com",
            "//x.com/",
            "https://",
            "https:///",
            "https://:443/",
            "https://x.com:0/",
            "https://x.com:99999/",
            "https://u@x.com/",
            "https://u:p@x.com/",
            "https://:p@x.com/",
            "https://127.0.0.1@x.com/",
            "https://x.com\\@y.com/",
            "https://x.com/\\y",
            "https://x .com/",
            " https://x.com/",
            "https://x.com/ ",
            "https://x\t.com/",
            "https://x.com/\n",
            "https://x\u{a0}.com/",
            "https://a..b/",
            "https://.x.com/",
            "https://x.com../",
            "https://%00.x.com/",
            "https://x%2f.com/",
            "https://x%40y.com/",
            "https://[::1/",
            "https://[::1%25eth0]/",
            "https://[127.0.0.1]/",
            "https://256.0.0.1/",
            "https://1.2.3.4.5/",
            "https://0x100000000/",
            "https://x.127/",
            "https://-1/",
            "https://-x.com/",
            "https://x-.com/",
            "https://x.com-/",
            "file:///etc/passwd",
            "ftp://x.com/",
            "gopher://x.com/",
            "data:text/plain,x",
            "javascript:0",
            "ws://x.com/",
            "https://*.x.com/",
            "https://x.com|y/",
            "https://x^y.com/",
            "https://<x>.com/",
        ] {
            assert!(Target::parse(url).is_err(), "{url:?} was taken for {:?}", Target::parse(url));
        }
        assert!(Target::parse(&format!("https://x.com/{}", "a".repeat(9000))).is_err());
    }

    #[test]
    fn names_are_normalised_once_for_checking_and_for_dialling() {
        for (url, normal) in [
            ("https://API.X.com/", "https://api.x.com/"),
            ("https://api.x.com./a?b#c", "https://api.x.com/a?b"),
            ("https://%61pi.x.com/", "https://api.x.com/"),
            ("https://api.x.com:443/", "https://api.x.com/"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("https://api。x．com/", "https://api.x.com/"),
            ("https://ａpi.x.com/", "https://api.x.com/"),
            ("https://a\u{ad}pi.x.com/", "https://api.x.com/"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.url().as_str(), normal, "{url}");
            assert_eq!(target.url().host_str(), Some(target.host().to_string().as_str()));
        }
    }

    #[test]
    fn a_parameter_is_taken_out_in_any_spelling_and_the_others_are_left_alone() {
        let target = Target::parse("https://x.com/?a=1%2F&key=s&k%65y=t&b=a+b&keys=1").unwrap();
        assert!(target.has_query("key"));
        let clean = target.without_query("key");
        assert_eq!(clean.url().query(), Some("a=1%2F&b=a+b&keys=1"));
        assert_eq!(
            Target::parse("https://x.com/p?key=s").unwrap().without_query("key").url().as_str(),
            "https://x.com/p"
        );
        assert_eq!(target.without_secrets(), "https://x.com/");
    }

    #[test]
    fn a_location_is_resolved_and_judged_like_any_other_url() {
        let base = Target::parse("https://x.com/a/b?c").unwrap();
        assert_eq!(base.join("../d").unwrap().url().as_str(), "https://x.com/d");
        assert_eq!(base.join("//y.com/").unwrap().authority(), "y.com");
        assert!(base.join("https://u:p@y.com/").is_err());
        assert!(base.join("file:///etc/passwd").is_err());
    }

    /// Pieces that parsers disagree about, put together at random.
    fn spelling() -> impl Strategy<Value = String> {
        let scheme = prop_oneof![Just("https://"), Just("http://"), Just("HTTPS:/"), Just("https:"), Just("//")];
        let piece = prop_oneof![
            4 => "[a-z0-9]{1,4}",
            2 => Just(".".to_owned()),
            1 => prop::sample::select(vec![
                "@", ":", ":80", ":443", "%2e", "%00", "%40", "#", "?", "/", "[::1]", "[::ffff:7f00:1]", "0x7f", "127.1",
                "2130706433", "。", "ａ", "ß", "xn--", "-", "_", "~", ";", "&", "..", "%5c", "[", "]", "*", "\u{ad}",
            ]).prop_map(str::to_owned),
        ];
        (scheme, prop::collection::vec(piece, 1..8)).prop_map(|(scheme, pieces)| format!("{scheme}{}", pieces.concat()))
    }

    proptest! {
        /// The client that dials reads the URL with a parser of its own.
        #[test]
        fn the_host_that_is_judged_is_the_host_that_is_dialled(text in spelling()) {
            let Ok(target) = Target::parse(&text) else { return Ok(()) };
            let judged = target.host().to_string();
            prop_assert_eq!(target.url().host_str(), Some(judged.as_str()));
            prop_assert_eq!(Target::parse(target.url().as_str()).ok(), Some(target.clone()));
            if let Ok(dialled) = target.url().as_str().parse::<http::Uri>() {
                prop_assert_eq!(dialled.host(), Some(judged.as_str()));
                let port = dialled.port_u16().unwrap_or(if target.is_https() { 443 } else { 80 });
                prop_assert_eq!(port, target.port());
            }
        }
    }
}
