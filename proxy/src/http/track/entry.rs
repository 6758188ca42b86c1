//! Turns an accepted event into an entry of the queue, with the event's keys and class, and with its meaning for the order that
//! it names.

use std::{net::IpAddr, sync::Arc};

use duet_events::{Event, EventName, claim::Refusal};

use crate::{
    admit::{Admitted, Caller, MoneyEvents},
    app::Shared,
    decide::{Class, DedupKey, Destination, Note, Part, Remember},
    history::{Sender, Trace},
    http::wait::Wait,
    orders::By,
    pixels::Configured,
    queue::{Entry, Waiter},
};

pub(super) fn entry<'a>(
    admitted: &'a Admitted,
    pixels: &Configured,
    caller: Caller,
    address: IpAddr,
    app: &Shared,
) -> Entry<'a, Event> {
    let event = &admitted.event;
    let destination = destination(admitted, pixels);
    Entry {
        key: DedupKey::of(&destination, &event.name, &event.id),
        remember: remembered(event),
        destination,
        class: class(&event.name, caller, app, address),
        trace: trace(admitted, caller),
        note: note(admitted, caller, app.money),
        event,
    }
}

/// Returns how an event arrived.
pub fn trace(admitted: &Admitted, caller: Caller) -> Trace {
    let sender = match caller {
        Caller::Page => Sender::Page,
        Caller::Server => Sender::Server,
    };
    Trace::new(sender, admitted.pixel, &admitted.warnings)
}

/// Chooses the class of an event. Events about money from the shop's servers are first class. Events about money from pages are
/// first class up to a limit for each client address, so that strangers cannot fill the first class. A held event becomes first
/// class when its payment arrives.
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

/// Returns a waiter for each accepted event. If the caller does not wait for TikTok's answer, returns no waiters.
pub(super) fn waiters(
    wait: Wait,
    judged: &[Result<Admitted, Refusal>],
    pixels: &Configured,
    app: &Shared,
) -> Vec<Waiter> {
    match wait {
        Wait::Not | Wait::Ignored => Vec::new(),
        Wait::For(_) => judged
            .iter()
            .flatten()
            .map(|admitted| app.intake.waiter(key(admitted, pixels)))
            .collect(),
    }
}

fn key(admitted: &Admitted, pixels: &Configured) -> DedupKey {
    let destination = destination(admitted, pixels);
    DedupKey::of(&destination, &admitted.event.name, &admitted.event.id)
}

fn destination(admitted: &Admitted, pixels: &Configured) -> Arc<Destination> {
    pixels.destination(&admitted.pixel_id, admitted.test_event_code.as_deref())
}

/// Returns what an event means for the order that it names. Returns `None` if the event names no order, or if only the caller
/// made it a test event.
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

/// Returns how long the proxy recognises a repeat of the event.
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
