//! What an admitted event is in the queue: its keys, its class, and what it means for its order.

use std::net::IpAddr;

use duet_events::{
    Event, EventName,
    claim::{PixelLeg, Refusal},
};

use crate::{
    admit::{Admitted, Caller, MoneyEvents},
    app::Shared,
    decide::{Class, DedupKey, Note, Part, Remember},
    http::wait::Wait,
    orders::By,
    queue::{Entry, Waiter},
};

pub(super) fn entry<'a>(
    admitted: &'a Admitted,
    caller: Caller,
    address: IpAddr,
    app: &Shared,
) -> Entry<'a, Event> {
    let event = &admitted.event;
    let destination = app.destination(admitted.test_event_code.as_deref());
    Entry {
        key: DedupKey::of(&destination, &event.name, &event.id),
        remember: remembered(event),
        destination,
        class: class(&event.name, caller, app, address),
        pixel: admitted.pixel.map_or("unknown", PixelLeg::as_str),
        note: note(admitted, caller, app.money),
        event,
    }
}

/// Money goes first: all of it that the shop's servers state, and so much of each address that no stranger can fill the
/// first class. An event that waits for its payment goes first once that is there.
fn class(name: &EventName, caller: Caller, app: &Shared, address: IpAddr) -> Class {
    let is_first = name.is_money()
        && match caller {
            Caller::Server => true,
            Caller::Page => !app.money.holds(name, caller) && app.first_class.has_one(address),
        };
    if is_first {
        Class::First
    } else {
        Class::Second
    }
}

/// For every event that was taken, somebody who waits for its end; nobody where the caller does not.
pub(super) fn waiters(
    wait: Wait,
    judged: &[Result<Admitted, Refusal>],
    app: &Shared,
) -> Vec<Waiter> {
    match wait {
        Wait::Not | Wait::Ignored => Vec::new(),
        Wait::For(_) => judged
            .iter()
            .flatten()
            .map(|admitted| app.intake.waiter(key(admitted, app)))
            .collect(),
    }
}

fn key(admitted: &Admitted, app: &Shared) -> DedupKey {
    let destination = app.destination(admitted.test_event_code.as_deref());
    DedupKey::of(&destination, &admitted.event.name, &admitted.event.id)
}

/// What an event means for the order it names.
pub fn note(admitted: &Admitted, caller: Caller, money: MoneyEvents) -> Option<Note> {
    let event = &admitted.event;
    let order_id = event.properties.order_id.clone();
    let order_id = order_id.filter(|_| !admitted.is_rehearsal)?;
    let part = match event.name.as_str() {
        _ if money.holds(&event.name, caller) => Part::Claims,
        "InitiateCheckout" | "AddPaymentInfo" | "PlaceAnOrder" => Part::Begins,
        _ if event.name.is_money() => Part::Reports,
        _ => Part::Mentions,
    };
    let by = match caller {
        Caller::Page => By::Page,
        Caller::Server => By::Server,
    };
    Some(Note { order_id, by, part })
}

/// How long a repeat of the event is recognised.
pub fn remembered(event: &Event) -> Remember {
    if event.properties.order_id.is_some() {
        Remember::Days90
    } else {
        Remember::Hours48
    }
}

#[cfg(test)]
mod tests {
    use duet_events::{Claim, EventId};
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_repeat_is_recognised_for_48_hours_and_for_90_days_with_an_order() {
        let of = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            let claim = Claim::read((&*raw).into(), None).unwrap();
            remembered(&claim.into_event(EventId::parse("a").unwrap(), 1))
        };
        assert_eq!(of(r#"{"event":"Lead"}"#), Remember::Hours48);
        let order = r#"{"event":"Lead","properties":{"order_id":"A"}}"#;
        assert_eq!(of(order), Remember::Days90);
    }
}
