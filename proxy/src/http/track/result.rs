//! What the answer states of each event, and what is counted and logged of it.

use duet_events::{
    EventId, EventName, Invalid,
    claim::Refusal,
    wire::{EventResult, Status},
};

use crate::{
    admit::Admitted,
    decide::Enqueued,
    metrics::{Metrics, RuleLabel},
    telemetry::WARNINGS,
};

/// What is still to be said of an event that is taken, while it is written.
pub(super) struct Taken {
    name: EventName,
    event_id: EventId,
    warnings: Vec<Invalid>,
}

impl From<Admitted> for Taken {
    fn from(admitted: Admitted) -> Self {
        Self {
            name: admitted.event.name,
            event_id: admitted.event.id,
            warnings: admitted.warnings,
        }
    }
}

pub(super) fn taken_result(
    taken: Taken,
    enqueued: Option<Enqueued>,
    metrics: &Metrics,
) -> EventResult {
    let status = match enqueued {
        Some(Enqueued::Duplicate) => Status::Duplicate,
        Some(Enqueued::Held) => Status::Held,
        Some(Enqueued::Accepted) | None => Status::Accepted,
    };
    if status == Status::Duplicate {
        metrics.duplicate.inc();
    }
    metrics.warned(&taken.warnings);
    for Invalid { rule, message, .. } in &taken.warnings {
        let (event, event_id) = (taken.name.as_str(), taken.event_id.as_str());
        tracing::warn!(target: WARNINGS, event, event_id, %rule, "{message}");
    }
    EventResult {
        event_id: Some(taken.event_id.into()),
        status,
        errors: Vec::new(),
        warnings: taken.warnings,
    }
}

pub(super) fn refused_result(refusal: Refusal, metrics: &Metrics) -> EventResult {
    if let Some(first) = refusal.errors.first() {
        let rule = first.rule.to_string();
        metrics.invalid.get_or_create(&RuleLabel { rule }).inc();
    }
    EventResult {
        event_id: refusal.event_id,
        status: Status::Invalid,
        errors: refusal.errors,
        warnings: Vec::new(),
    }
}
