//! Makes the result of each event for the answer. Counts the results and logs the warnings.

use duet_events::{
    EventId, EventName, Invalid,
    claim::Refusal,
    wire::{EventResult, Status},
};

use super::trace;
use crate::{
    admit::{Admitted, Caller},
    app::Shared,
    decide::Enqueued,
    history::Trace,
    live::{Answered, Note, Rejected},
    metrics::RuleLabel,
    money::{Currency, Money},
    telemetry::WARNINGS,
    why::{Refused, Repeat},
};

/// The data of an accepted event from which its result is made. This data is kept while the event is written.
pub(super) struct Taken {
    name: EventName,
    event_id: EventId,
    warnings: Vec<Invalid>,
    trace: Trace,
    /// The note for a live view. `None` if nobody listens.
    note: Option<Box<Answered>>,
}

impl Taken {
    pub(super) fn of(admitted: Admitted, caller: Caller, app: &Shared) -> Self {
        let is_on = app.intake.live().is_on();
        Self {
            trace: trace(&admitted, caller),
            note: is_on.then(|| Box::new(answered(&admitted, caller, app))),
            name: admitted.event.name,
            event_id: admitted.event.id,
            warnings: admitted.warnings,
        }
    }
}

fn answered(admitted: &Admitted, caller: Caller, app: &Shared) -> Answered {
    let Admitted {
        event, pixel_id, ..
    } = admitted;
    Answered {
        at_ms: app.intake.clock().day_ms(),
        status: Status::Accepted,
        event: app.intake.history().salt().event(event.id.as_str()),
        event_id: event.id.as_str().to_owned(),
        name: event.name.as_str().to_owned(),
        order_id: event.properties.order_id.clone(),
        pixel_id: pixel_id.clone(),
        is_test: admitted.test_event_code.is_some(),
        happened_s: event.time,
        keys: (&event.user).into(),
        trace: trace(admitted, caller),
        value: Money::of_event(
            event.properties.value,
            event.properties.currency.map(Currency::from),
        ),
    }
}

pub(super) fn taken_result(taken: Taken, enqueued: Option<Enqueued>, app: &Shared) -> EventResult {
    let status = match enqueued {
        Some(Enqueued::Duplicate) => Status::Duplicate,
        Some(Enqueued::Held) => Status::Held,
        Some(Enqueued::Accepted) | None => Status::Accepted,
    };
    if status == Status::Duplicate {
        app.metrics.duplicate.inc();
        let repeat = Repeat {
            at_ms: app.intake.clock().day_ms(),
            trace: taken.trace,
        };
        app.recent.repeated(taken.event_id.as_str(), repeat);
    }
    app.metrics.warned(&taken.warnings);
    for Invalid { rule, message, .. } in &taken.warnings {
        let (event, event_id) = (taken.name.as_str(), taken.event_id.as_str());
        tracing::warn!(target: WARNINGS, event, event_id, %rule, "{message}");
    }
    if let Some(note) = taken.note {
        let note = Answered { status, ..*note };
        app.intake.live().publish(|| Note::Answered(Box::new(note)));
    }
    EventResult {
        event_id: Some(taken.event_id.into()),
        status,
        errors: Vec::new(),
        warnings: taken.warnings,
    }
}

pub(super) fn refused_result(refusal: Refusal, app: &Shared) -> EventResult {
    if let Some(first) = refusal.errors.first() {
        let rule = first.rule.to_string();
        app.metrics.invalid.get_or_create(&RuleLabel { rule }).inc();
    }
    let note = rejected(&refusal, app);
    if let Some(event_id) = &note.event_id {
        let Rejected { at_ms, errors, .. } = note.clone();
        app.recent.refused(event_id, Refused { at_ms, errors });
    }
    app.intake.live().publish(|| Note::Rejected(Box::new(note)));
    EventResult {
        event_id: refusal.event_id,
        status: Status::Invalid,
        errors: refusal.errors,
        warnings: Vec::new(),
    }
}

fn rejected(refusal: &Refusal, app: &Shared) -> Rejected {
    let errors = refusal.errors.iter();
    Rejected {
        at_ms: app.intake.clock().day_ms(),
        event_id: refusal.event_id.clone(),
        errors: errors
            .map(|error| (error.field().to_owned(), error.rule().to_owned()))
            .collect(),
    }
}
