//! Rules between keys: values that are fine alone and wrong together.

use std::time::Duration;

use super::reader::Reader;
use super::sections::{Egress, Limits, Retrieve, Schedule};
use super::units::show_duration;

/// Checks every rule whose sections could be read.
pub(super) fn check(
    reader: &mut Reader,
    schedule: Option<&Schedule>,
    retrieve: Option<&Retrieve>,
    limits: Option<&Limits>,
    egress: Option<&Egress>,
) {
    if let Some(retrieve) = retrieve
        && retrieve.heartbeat > retrieve.lease / 3
    {
        let (heartbeat, lease) = (show_duration(retrieve.heartbeat), show_duration(retrieve.lease));
        reader.refuse(
            &["retrieve.heartbeat", "retrieve.lease"],
            format!("`retrieve.heartbeat` ({heartbeat}) is more than a third of `retrieve.lease` ({lease})"),
            "a worker that misses one heartbeat must not lose its lease".to_owned(),
        );
    }
    if let Some(s) = schedule {
        no_longer(reader, ("schedule.backoff_base", s.backoff_base), ("schedule.backoff_cap", s.backoff_cap));
    }
    if let Some(l) = limits {
        no_longer(reader, ("limits.cpu_per_call", l.cpu_per_call), ("limits.cpu_per_run", l.cpu_per_run));
        no_longer(reader, ("limits.cpu_per_call", l.cpu_per_call), ("limits.wall_per_call", l.wall_per_call));
        if l.requests_per_page > l.requests_per_run {
            reader.refuse(
                &["limits.requests_per_page", "limits.requests_per_run"],
                "`limits.requests_per_page` is more than `limits.requests_per_run`".to_owned(),
                "a run has at least one page".to_owned(),
            );
        }
    }
    if let Some(e) = egress {
        no_longer(reader, ("egress.connect_timeout", e.connect_timeout), ("egress.total_timeout", e.total_timeout));
        no_longer(
            reader,
            ("egress.first_byte_timeout", e.first_byte_timeout),
            ("egress.total_timeout", e.total_timeout),
        );
        no_longer(reader, ("egress.read_timeout", e.read_timeout), ("egress.total_timeout", e.total_timeout));
        no_longer(reader, ("egress.breaker_wait", e.breaker_wait), ("egress.breaker_max_wait", e.breaker_max_wait));
    }
}

fn no_longer(reader: &mut Reader, part: (&str, Duration), whole: (&str, Duration)) {
    if part.1 > whole.1 {
        let (part_shown, whole_shown) = (show_duration(part.1), show_duration(whole.1));
        reader.refuse(
            &[part.0, whole.0],
            format!("`{}` ({part_shown}) is longer than `{}` ({whole_shown})", part.0, whole.0),
            "lower the one or raise the other".to_owned(),
        );
    }
}
