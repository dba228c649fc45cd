//! Opening connections: the only module that does.
//!
//! A host spelled as an address is judged before anything is sent, because hyper dials such a host without asking its
//! resolver. A name is resolved here, every answer must be allowed, and exactly those addresses are dialled, so that a
//! second look at DNS cannot change the result. The address of the peer is judged once more when the answer arrives.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST, HeaderValue};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Instant, timeout};
use url::Url;

use super::body::{self, Decoder};
use super::config::{EgressConfig, Limits};
use super::denial::{Denial, Rule};
use super::patterns::{HostPattern, parse_host};
use super::policy::matches_any;
use super::target::Target;
use super::wire::{Incoming, Outgoing, Wire, WireError};
use super::{address, headers};
use crate::domain::http::HttpError;

/// Looks up the addresses of a name.
#[async_trait::async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of a name.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait::async_trait]
impl Lookup for SystemLookup {
    #[expect(clippy::disallowed_methods, reason = "the one place where names are resolved")]
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Opens connections. Connections are shared: nothing in one belongs to an integration, since there are no cookies and
/// credentials travel with each request.
pub(super) struct Dialer {
    public: reqwest::Client,
    /// For the operator's own origins; HTTP/1.1, where `Host` may differ from the authority.
    routed: reqwest::Client,
    allowed: Arc<[HostPattern]>,
    refusal: Refusal,
    routes: Vec<(HostPattern, Url)>,
    limits: Limits,
}

/// Why an address is refused; `None` if it may be dialled.
pub(super) type Refusal = fn(IpAddr) -> Option<&'static str>;

impl Dialer {
    pub(super) fn new(config: &EgressConfig, lookup: Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        Self::judging(config, lookup, address::refusal)
    }

    /// The same with another idea of what is public: a test can dial nothing that is.
    pub(super) fn judging(
        config: &EgressConfig,
        lookup: Arc<dyn Lookup>,
        refusal: Refusal,
    ) -> Result<Self, reqwest::Error> {
        // Fails only if a provider is installed already, which is then the one to use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allowed: Arc<[HostPattern]> = config.allow_hosts.clone().into();
        let client = |judge: Option<Arc<[HostPattern]>>| {
            reqwest::Client::builder()
                .dns_resolver(Arc::new(Resolver { lookup: Arc::clone(&lookup), judge, refusal }))
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .connect_timeout(config.limits.connect)
                .http2_max_header_list_size(u32::try_from(config.limits.response_header_bytes).unwrap_or(u32::MAX))
        };
        Ok(Self {
            public: client(Some(Arc::clone(&allowed))).build()?,
            routed: client(None).http1_only().build()?,
            allowed,
            refusal,
            routes: config.routes.clone(),
            limits: config.limits.clone(),
        })
    }
}

#[async_trait::async_trait]
impl Wire for Dialer {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, WireError> {
        let target = outgoing.target;
        let mut headers = outgoing.headers.clone();
        let authenticated = outgoing.credential.map(|(slot, credentials)| {
            let mut authenticated = target.clone();
            slot.write(credentials, &mut authenticated, &mut headers).map(|()| authenticated)
        });
        let authenticated = authenticated.transpose().map_err(|why| WireError::Final(HttpError::Unauthorized(why)))?;
        let dialled = authenticated.as_ref().unwrap_or(target).url();
        let route = self.routes.iter().find(|(pattern, _)| matches_any(std::slice::from_ref(pattern), target));
        let (client, url) = match route {
            Some((_, origin)) => (&self.routed, rerouted(dialled, origin)),
            None => (&self.public, dialled.clone()),
        };
        if let (None, Some(literal)) = (route, target.literal()) {
            self.judge(target, literal)?;
        }
        let mut request = reqwest::Request::new(outgoing.method.clone(), url);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(body::ACCEPTED));
        if let (Some(_), Ok(host)) = (route, HeaderValue::try_from(target.authority())) {
            headers.insert(HOST, host);
        }
        *request.headers_mut() = headers;
        *request.body_mut() = outgoing.body.map(|body| body.clone().into());

        #[cfg(test)]
        if !matches!(request.url().host(), Some(url::Host::Domain(_))) {
            count();
        }
        let sent = timeout(self.limits.first_byte, client.execute(request)).await;
        let response = sent.map_err(|_| WireError::Unsure(slow(target, "sent no answer", self.limits.first_byte)))?;
        let response = response.map_err(|error| failed_to_send(target, error))?;
        if route.is_none() {
            match response.remote_addr() {
                Some(peer) => self.judge(target, peer.ip())?,
                None => return Err(refused_address(target, "unknown")),
            }
        }
        let size = headers::size(response.headers());
        if size > self.limits.response_header_bytes {
            let cap = self.limits.response_header_bytes;
            let text = format!("the headers of {} have {size} bytes, and {cap} are allowed", target.host());
            return Err(WireError::Final(HttpError::TooLarge(text)));
        }
        self.read(target, response).await
    }
}

impl Dialer {
    async fn read(&self, target: &Target, mut response: reqwest::Response) -> Result<Incoming, WireError> {
        let limits = &self.limits;
        let cap = limits.response_body_bytes as u64;
        if response.content_length().is_some_and(|length| length > cap) {
            return Err(WireError::Final(body::too_large(cap)));
        }
        let encodings: Vec<_> = response.headers().get_all(CONTENT_ENCODING).iter().collect();
        let encoding = match encodings.as_slice() {
            [] => None,
            [one] => Some(one.to_str().unwrap_or("unreadable")),
            _ => Some("several"),
        };
        let mut decoder = Decoder::new(encoding, limits).map_err(WireError::Final)?;
        decoder.expect(response.content_length());
        let mut window = (Instant::now(), 0);
        loop {
            let piece = timeout(limits.read_gap, response.chunk()).await;
            let piece = piece.map_err(|_| WireError::Unsure(slow(target, "stopped sending", limits.read_gap)))?;
            let Some(piece) = piece.map_err(|error| broke_off(target, error))? else { break };
            decoder.push(&piece).map_err(WireError::Final)?;
            let (since, before) = window;
            if since.elapsed() >= limits.speed_window {
                let wanted = limits.min_bytes_per_second.saturating_mul(limits.speed_window.as_secs().max(1));
                if decoder.encoded() - before < wanted {
                    return Err(WireError::Unsure(slow(target, "sends too slowly to wait for", limits.speed_window)));
                }
                window = (Instant::now(), decoder.encoded());
            }
        }
        let encoded_bytes = decoder.encoded();
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = decoder.finish().map_err(|error| match error {
            HttpError::Truncated(_) => WireError::Unsure(error),
            other => WireError::Final(other),
        })?;
        Ok(Incoming { status, headers, body, encoded_bytes })
    }

    fn judge(&self, target: &Target, address: IpAddr) -> Result<(), WireError> {
        match (self.refusal)(address) {
            Some(class) if !self.allowed.iter().any(|pattern| pattern.matches_host(target.host())) => {
                Err(refused_address(target, class))
            }
            _ => Ok(()),
        }
    }
}

/// Resolves for reqwest. `judge` holds the hosts that may have any address; without it every address is good.
struct Resolver {
    lookup: Arc<dyn Lookup>,
    judge: Option<Arc<[HostPattern]>>,
    refusal: Refusal,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, judge, refusal) = (Arc::clone(&self.lookup), self.judge.clone(), self.refusal);
        Box::pin(async move {
            let addresses = lookup.lookup(name.as_str()).await?;
            let host = parse_host(name.as_str());
            let judged = judge
                .filter(|allowed| !host.is_some_and(|host| allowed.iter().any(|pattern| pattern.matches_host(&host))));
            if judged.is_some() {
                // One bad answer spoils them all: an honest provider has none.
                if let Some(class) = addresses.iter().find_map(|address| refusal(*address)) {
                    return Err(NotPublic(class).into());
                }
            }
            if addresses.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            #[cfg(test)]
            count();
            // Port 0 stands for the port of the URL.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
thread_local! {
    static OPENED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts an address handed to what opens sockets: one spelled in a URL, or those of a name.
#[cfg(test)]
fn count() {
    OPENED.set(OPENED.get() + 1);
}

/// How often this thread did. A test on a runtime of one thread sees its own.
#[cfg(test)]
pub(crate) fn opened() -> usize {
    OPENED.get()
}

/// Carries the resolver's refusal through the layers of the client.
#[derive(Debug, thiserror::Error)]
#[error("the name has an address that is not public: {0}")]
struct NotPublic(&'static str);

fn rerouted(url: &Url, origin: &Url) -> Url {
    let mut rerouted = origin.clone();
    rerouted.set_path(url.path());
    rerouted.set_query(url.query());
    rerouted
}

/// The address itself stays out of the message: a connector must not map the inner network by asking around.
fn refused_address(target: &Target, class: &str) -> WireError {
    WireError::Denied(Denial::new(
        Rule::Address,
        format!(
            "host {:?} has an address that is not public ({class}); the operator can allow it: allow_hosts = [\"{}\"] under [egress]",
            target.authority(),
            target.host()
        ),
    ))
}

fn failed_to_send(target: &Target, error: reqwest::Error) -> WireError {
    let error = error.without_url();
    if let Some(NotPublic(class)) = chain(&error).find_map(|cause| cause.downcast_ref::<NotPublic>()) {
        return refused_address(target, class);
    }
    if error.is_builder() || error.is_request() && chain(&error).any(|cause| cause.is::<http::uri::InvalidUri>()) {
        return WireError::Denied(Denial::new(Rule::Url, format!("the URL for {} cannot be sent", target.authority())));
    }
    let text = format!("{}: {}", target.authority(), causes(&error));
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => WireError::NotSent(HttpError::Timeout(format!("no connection to {text}"))),
        (true, false) => WireError::NotSent(HttpError::Unreachable(text)),
        (false, true) => WireError::Unsure(HttpError::Timeout(text)),
        (false, false) => WireError::Unsure(HttpError::Unreachable(text)),
    }
}

fn broke_off(target: &Target, error: reqwest::Error) -> WireError {
    let text = format!("{}: {}", target.authority(), causes(&error.without_url()));
    WireError::Unsure(HttpError::Truncated(text))
}

fn slow(target: &Target, what: &str, limit: std::time::Duration) -> HttpError {
    HttpError::Timeout(format!("{} {what} ({limit:?})", target.authority()))
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

/// What lies below reqwest's own words, which say only that something failed.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
    texts.dedup();
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}
