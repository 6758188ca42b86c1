//! Finds causes in the records of events.

use duet_events::claim::PixelLeg;

use super::{Arrived, Cause, Did, Facts, Findings, Missing, Refused, facts::is_money};
use crate::{
    history::{End, Ended, Trace, Tried},
    limits,
    orders::Order,
};

/// If the proxy got an event later than this after the event had happened, the event is late.
const LATE_MS: i64 = limits::MERGE_MS;

pub(super) fn look(facts: &Facts, found: &mut Findings) {
    for end in &facts.ends {
        for ended in &end.events {
            arrival(&arrived(ended), found);
            ended_as(facts, end, ended, found);
        }
    }
    for held in &facts.held {
        arrival(held, found);
        found.step(
            held.accepted_ms,
            Did::Held {
                event: held.name.clone(),
            },
        );
    }
    for pending in &facts.pending {
        arrival(&pending.event, found);
        if let Some(tried) = pending.tried {
            tries(&pending.event.name, tried, found);
        }
    }
    if let Some(at_ms) = facts.withdrawn_ms {
        found.step(at_ms, Did::Withdrawn);
        let mut delivered = facts.ends.iter().filter(|end| end.is_delivered());
        let has_sale = delivered.any(|end| end.events.iter().any(|ended| is_money(&ended.name)));
        found.add((!has_sale).then_some(Missing::Delivery), Cause::Withdrawn);
    }
    for refused in &facts.refused {
        rejected(refused, is_accepted(facts), found);
    }
    for repeat in &facts.repeats {
        found.step(
            repeat.at_ms,
            Did::Repeated {
                by: repeat.trace.sender,
            },
        );
        found.add(None, Cause::Duplicate);
    }
}

/// Returns whether an event with this id was also accepted, before or after the rejection.
fn is_accepted(facts: &Facts) -> bool {
    !facts.ends.is_empty() || !facts.pending.is_empty() || !facts.held.is_empty()
}

fn arrived(ended: &Ended) -> Arrived {
    Arrived {
        name: ended.name.clone(),
        accepted_ms: ended.accepted_ms,
        happened_s: ended.happened_s,
        trace: ended.trace.clone(),
    }
}

fn arrival(event: &Arrived, found: &mut Findings) {
    let happened_ms = event.happened_s.saturating_mul(1000);
    if happened_ms > 0 && happened_ms < event.accepted_ms {
        let event = event.name.clone();
        found.step(happened_ms, Did::Happened { event });
    }
    let Trace { sender, .. } = event.trace;
    found.step(
        event.accepted_ms,
        Did::Accepted {
            event: event.name.clone(),
            by: sender,
            pixel: event.trace.pixel_label().to_owned(),
        },
    );
    match event.trace.pixel {
        Some(PixelLeg::Blocked) => found.add(None, Cause::PixelBlocked),
        Some(PixelLeg::Absent) => found.add(None, Cause::PixelAbsent),
        Some(PixelLeg::Fired | PixelLeg::Off) | None => {}
    }
    if happened_ms > 0 && event.accepted_ms - happened_ms > LATE_MS {
        found.add(None, Cause::SentLate);
    }
}

fn tries(event: &str, tried: Tried, found: &mut Findings) {
    found.step(
        tried.answered_ms,
        Did::Tried {
            event: event.to_owned(),
            attempts: tried.attempts,
            code: tried.code,
        },
    );
    if let Some(next_ms) = tried.next_ms {
        let (event, attempt) = (event.to_owned(), tried.attempts.saturating_add(1));
        found.step(next_ms, Did::TriesNext { event, attempt });
    }
}

fn ended_as(facts: &Facts, end: &End, ended: &Ended, found: &mut Findings) {
    let is_delivered = end.is_delivered();
    let message = facts.message.clone().filter(|_| !is_delivered);
    found.step(
        end.at_ms,
        Did::Ended {
            event: ended.name.clone(),
            outcome: end.outcome.clone(),
            attempts: end.sent.attempts,
            batch: end.sent.batch,
            code: end.code,
            request_id: end.request_id.clone(),
            message,
        },
    );
    if end.is_test && is_delivered {
        found.add(Some(Missing::TikTok), Cause::TestTraffic);
    }
    if is_delivered {
        delivered(end, ended, found);
        return;
    }
    // Another event may have reported the order's sale, so this event's end does not mean that the sale is missing.
    let missing = |missing| (!is_money(&ended.name) || !facts.is_delivered()).then_some(missing);
    match end.outcome.as_str() {
        "refused" => found.add(missing(Missing::TikTok), Cause::Refused),
        "expired" => found.add(missing(Missing::Delivery), Cause::Expired),
        "unverified" => {
            let is_paid = facts.order.as_ref().is_some_and(Order::is_paid);
            let cause = if is_paid {
                Cause::WebhookLate
            } else {
                Cause::HeldTooLong
            };
            found.add(missing(Missing::Payment), cause);
        }
        _ => {
            let cause = match &facts.order {
                // TikTok has a sale of the order, and the money of the order is not refunded now. So this event was
                // withdrawn because of an earlier refund, and nothing is missing.
                Some(order) if !order.is_returned() && facts.is_delivered() => return,
                Some(order) if order.is_returned() => Cause::Refunded,
                _ => Cause::Withdrawn,
            };
            found.add(missing(Missing::Delivery), cause);
        }
    }
}

fn delivered(end: &End, ended: &Ended, found: &mut Findings) {
    if end.outcome != "delivered" {
        found.add(None, Cause::Warned);
    }
    if !ended.keys.is_matchable() {
        found.add(None, Cause::NoMatchKeys);
    }
    let closes_ms = ended.happened_s.saturating_mul(1000) + limits::MERGE_MS;
    if ended.trace.pixel == Some(PixelLeg::Fired)
        && ended.accepted_ms <= closes_ms
        && end.at_ms > closes_ms
    {
        found.add(None, Cause::MergeMissed);
    }
}

fn rejected(refused: &Refused, is_accepted: bool, found: &mut Findings) {
    for (field, rule) in &refused.errors {
        let (field, rule) = (field.clone(), rule.clone());
        let cause = cause_of(&field, &rule);
        found.step(refused.at_ms, Did::Rejected { field, rule });
        found.add((!is_accepted).then_some(Missing::Acceptance), cause);
    }
}

/// Returns the cause for a broken rule.
fn cause_of(field: &str, rule: &str) -> Cause {
    match rule {
        "consent" => Cause::ConsentRefused,
        "unknown_pixel" => Cause::WrongPixel,
        "pixel_origin" => Cause::PixelOfAnotherOrigin,
        "too_old" | "too_new" => Cause::WrongClock,
        "required" if field == "properties.order_id" => Cause::NoOrder,
        "reserved_id" => Cause::ReservedId,
        "impersonated" => Cause::StaffSession,
        _ => Cause::BrokenRule,
    }
}
