//! One request from its first byte to the answer: what all providers have in common.
//!
//! Order: count, delay, injected trouble, the provider itself, damage to its answer, count.

use std::{sync::Arc, time::Duration};

use axum::{extract::Request, response::Response};

use super::{
    Shared, control, echo,
    faults::Trouble,
    reply::{self, Call},
    schema::Provider,
    tokens::Pass,
};

/// Put into the extensions of an answer that tells the client to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    /// Which requests have to wait: `all` or `search`.
    pub(super) scope: &'static str,
    /// How long; 0 if the answer implies no time.
    pub(super) ms: i64,
}

/// Answers a request.
pub(super) async fn serve(shared: &Arc<Shared>, provider: Provider, request: Request) -> Response {
    let response = handle(shared, provider, request).await;
    reply::date(response, shared.now_ms().saturating_add(shared.faults.knobs().clock_skew_ms))
}

async fn handle(shared: &Arc<Shared>, provider: Provider, request: Request) -> Response {
    let api = provider.api();
    let Some(call) = Call::read(request).await else {
        return api.trouble(400);
    };
    if call.path.starts_with("/_fake/") {
        return control::answer(shared, provider, &call).await;
    }
    let _flight = shared.stats.take_off();
    let tenant = tenant(shared, provider, &call);
    let (kind, scope) = api.kind(&call);
    shared.stats.request(provider, tenant, kind, scope, shared.now_ms());
    let response = answer(shared, provider, tenant, &call).await;
    if let Some(wait) = response.extensions().get::<Wait>() {
        shared.stats.limited(provider, tenant, wait.scope, shared.now_ms(), wait.ms);
    }
    shared.stats.answer(tenant, response.status().as_u16());
    response
}

async fn answer(shared: &Shared, provider: Provider, tenant: &str, call: &Call) -> Response {
    let knobs = shared.faults.knobs();
    if knobs.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(knobs.latency_ms)).await;
    }
    let trouble = shared.faults.take(provider, tenant, &call.path);
    if let Some(trouble) = &trouble
        && let Some(mut response) = trouble.before(provider).await
    {
        if let Some(wait) = implied(provider, trouble) {
            response.extensions_mut().insert(wait);
        }
        return if knobs.echo { echo::repeat(call, response).await } else { response };
    }
    let response = provider.api().answer(shared, call, shared.now_ms());
    let response = if knobs.echo { echo::repeat(call, response).await } else { response };
    match trouble {
        Some(trouble) => trouble.mangle(response).await,
        None => response,
    }
}

/// How long a client has to wait after an injected answer.
fn implied(provider: Provider, trouble: &Trouble) -> Option<Wait> {
    let ms = match trouble {
        Trouble::Moving { retry_after } | Trouble::Status { retry_after: Some(retry_after), .. } => {
            i64::try_from(*retry_after).unwrap_or(0) * 1000
        }
        Trouble::Status { status: 429, .. } => provider.api().habits().implied_wait_ms,
        Trouble::RequestLimit => 0,
        _ => return None,
    };
    Some(Wait { scope: "all", ms })
}

/// The name of the tenant whose token the request carries, even if it has expired; empty without one.
fn tenant<'a>(shared: &'a Shared, provider: Provider, call: &Call) -> &'a str {
    match shared.pass(provider, call, shared.now_ms()) {
        Pass::Tenant(index) | Pass::Expired(index) => {
            shared.accounts.get(index).map_or("", |account| account.tenant.name.as_str())
        }
        Pass::Unknown => "",
    }
}
