//! From the configuration to what each collaborator takes.

use std::num::TryFromIntError;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use crate::config::Config;
use crate::config::units::Rate;
use crate::connector::EngineOptions;
use crate::domain::{Patience, RateHint};
use crate::egress::patterns::HostPattern;
use crate::egress::{EgressConfig, Limits, RequestBudget};
use crate::process::ProcessOptions;
use crate::queue::sqs::{QueueRef, SqsOptions};
use crate::retrieve::RetrieveOptions;
use crate::schedule::ScheduleOptions;
use crate::store::StoreOptions;

pub(super) fn store(config: &Config) -> StoreOptions {
    StoreOptions {
        url: config.store.url.expose().to_owned(),
        max_connections: config.store.max_connections,
        busy_timeout: config.store.busy_timeout,
        statement_timeout: config.store.statement_timeout,
    }
}

pub(super) fn engine(config: &Config, max_concurrent_calls: u32) -> EngineOptions {
    EngineOptions {
        max_concurrent_calls,
        memory_bytes: config.limits.memory.as_usize(),
        cpu_per_call: config.limits.cpu_per_call,
        wall_per_call: config.limits.wall_per_call,
        max_component_bytes: config.limits.component_bytes.bytes(),
        cache_dir: Some(config.connectors.cache.clone()),
        ..EngineOptions::default()
    }
}

pub(super) fn schedule(config: &Config) -> ScheduleOptions {
    ScheduleOptions {
        tick: config.schedule.tick,
        throttle: config.schedule.throttle,
        dispatch_batch: config.schedule.dispatch_batch,
        sweep: config.schedule.sweep,
        resend_after: config.schedule.resend_after,
        interval: config.schedule.interval,
        keep_history: config.store.keep_history,
        provider_intervals: config
            .providers
            .iter()
            .filter_map(|(name, provider)| Some((name.clone(), provider.interval?)))
            .collect(),
    }
}

pub(super) fn retrieve(config: &Config, wait: Duration) -> RetrieveOptions {
    RetrieveOptions {
        owner: config.host.name_or_default(),
        concurrency: config.retrieve.concurrency as usize,
        wait,
        lease: config.retrieve.lease,
        heartbeat: config.retrieve.heartbeat,
        slice_pages: config.retrieve.slice_pages,
        slice_time: config.retrieve.slice_time,
        patience: Patience {
            empty_pages: config.retrieve.stall_pages,
            rejected: config.retrieve.rejected_records,
            rejected_share: config.retrieve.rejected_share.fraction(),
        },
        max_attempts: i64::from(config.retrieve.max_attempts),
        page_size: config.retrieve.page_records,
        unlanded_bytes: i64::try_from(config.retrieve.unlanded_bytes.bytes()).unwrap_or(i64::MAX),
        backoff_base: config.schedule.backoff_base,
        backoff_cap: config.schedule.backoff_cap,
        spread: config.schedule.spread,
        requests: RequestBudget {
            per_page: config.limits.requests_per_page,
            per_run: config.limits.requests_per_run,
            in_flight: config.egress.concurrency,
        },
        cpu_per_slice: config.limits.cpu_per_run,
        drain: config.host.drain,
        now: Instant::now,
        chance: rand::random,
    }
}

pub(super) fn process(config: &Config, wait: Duration) -> ProcessOptions {
    ProcessOptions {
        concurrency: config.process.concurrency as usize,
        wait,
        gather: Duration::from_millis(50),
        landings: 16,
        sweep_guard: config.process.sweep_guard.fraction(),
    }
}

pub(super) fn sqs(config: &Config) -> SqsOptions {
    let sqs = &config.sqs;
    SqsOptions {
        endpoint: sqs.endpoint.as_ref().map(ToString::to_string),
        visibility: sqs.visibility,
        wait: sqs.wait,
        max_receives: sqs.max_receives,
        create: sqs.create,
        dead_letter_suffix: sqs.dead_letter_suffix.clone(),
        ..SqsOptions::new(
            sqs.region.clone().unwrap_or_default(),
            QueueRef::from(sqs.retrieve.as_str()),
            QueueRef::from(sqs.process.as_str()),
        )
    }
}

pub(super) fn egress(config: &Config) -> anyhow::Result<EgressConfig> {
    let egress = &config.egress;
    let patterns = |key: &str, texts: &[String]| {
        texts
            .iter()
            .map(|text| text.parse::<HostPattern>().with_context(|| format!("egress.{key}: {text:?}")))
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let defaults = EgressConfig::default();
    Ok(EgressConfig {
        allow_http: egress.allow_http,
        allow_hosts: patterns("allow_hosts", &egress.allow_hosts)?,
        deny_hosts: patterns("deny_hosts", &egress.deny_hosts)?,
        routes: egress
            .routes
            .iter()
            .map(|(pattern, origin)| {
                let pattern = pattern.parse().with_context(|| format!("egress.routes: {pattern:?}"))?;
                Ok((pattern, origin.clone()))
            })
            .collect::<anyhow::Result<Vec<_>>>()?,
        limits: Limits {
            connect: egress.connect_timeout,
            first_byte: egress.first_byte_timeout,
            read_gap: egress.read_timeout,
            total: egress.total_timeout,
            response_body_bytes: egress.response_bytes.as_usize(),
            response_header_bytes: egress.header_bytes.as_usize(),
            request_body_bytes: egress.request_bytes.as_usize(),
            request_header_bytes: egress.header_bytes.as_usize(),
            redirects: egress.max_redirects,
            tries: egress.retries + 1,
            max_inline_wait: egress.max_inline_wait,
            breaker_failures: egress.breaker_failures,
            breaker_wait: egress.breaker_wait,
            breaker_max_wait: egress.breaker_max_wait,
            ..defaults.limits
        },
        default_rate: rate(
            egress.rate.unwrap_or(Rate { count: 1_000_000, per: Duration::from_secs(1) }),
            egress.concurrency,
        )?,
        provider_rates: config
            .providers
            .iter()
            .filter_map(|(name, provider)| Some((name, provider.rate?)))
            .map(|(name, of)| Ok((name.clone(), rate(of, egress.concurrency)?)))
            .collect::<anyhow::Result<_>>()?,
        user_agent: egress.user_agent.clone(),
    })
}

fn rate(rate: Rate, concurrency: u32) -> Result<RateHint, TryFromIntError> {
    Ok(RateHint { requests: rate.count, per_seconds: rate.per.as_secs().max(1).try_into()?, concurrency })
}
