//! Finds causes in the order and its transfers.

use super::{Cause, Did, Facts, Findings, Missing};
use crate::{
    decide::{Became, Payment},
    orders::{Order, Status},
};

pub(super) fn look(facts: &Facts, found: &mut Findings) {
    for payment in &facts.payments {
        let became = payment.reason.as_deref();
        found.step(
            payment.at_ms,
            Did::Transfer {
                provider: payment.provider.clone(),
                id: payment.id.clone(),
                amount: payment.amount.to_string(),
                became: became.unwrap_or(payment.became.label()).to_owned(),
            },
        );
        let order = facts.order.as_ref();
        let is_paid = order.is_some_and(Order::is_paid);
        let is_settled = |cause: &Cause| match cause {
            Cause::ShortPayment => is_paid,
            Cause::PaidBefore => payment.is_returned(),
            _ => false,
        };
        if let Some(cause) = of_payment(payment).filter(|cause| !is_settled(cause)) {
            found.add((!is_paid).then_some(Missing::Payment), cause);
        }
    }
    if let Some(order) = &facts.order {
        of_order(facts, order, found);
    }
}

fn of_payment(payment: &Payment) -> Option<Cause> {
    Some(match payment.became {
        Became::Paid
        | Became::Overpaid
        | Became::AmountDiffers
        | Became::Renewed
        | Became::Returned
        | Became::Free => return None,
        Became::Partial => Cause::ShortPayment,
        Became::Unmatched => Cause::Unmatched,
        Became::Ambiguous => Cause::Ambiguous,
        Became::PaidBefore => Cause::PaidBefore,
        Became::OtherCurrency => Cause::OtherCurrency,
        Became::Test => Cause::TestPayment,
        Became::NotCounted => match payment.reason.as_deref() {
            Some("wrong_account" | "wrong_terminal") => Cause::OtherAccount,
            _ => Cause::NotCounted,
        },
    })
}

fn of_order(facts: &Facts, order: &Order, found: &mut Findings) {
    if order.begun_ms() > 0 {
        let registered = order.is_registered();
        found.step(order.begun_ms(), Did::Began { registered });
    }
    if let Some(at_ms) = order.paid_ms() {
        found.step(at_ms, Did::Paid);
    }
    if order.is_returned() {
        let cause = if facts.is_delivered() {
            (None, Cause::RefundedLater)
        } else {
            (Some(Missing::Delivery), Cause::Refunded)
        };
        found.add(cause.0, cause.1);
    }
    if order.is_paid() || facts.is_delivered() {
        return;
    }
    if !facts.held.is_empty() {
        found.add(Some(Missing::Payment), Cause::Held);
    }
    // If a transfer came but did not pay the order, the transfer explains more than the cause that no payment came.
    if order.status() == Status::Unknown && facts.held.is_empty()
        || facts
            .payments
            .iter()
            .any(|payment| of_payment(payment).is_some())
    {
        return;
    }
    found.add(Some(Missing::Payment), Cause::Unpaid);
    if facts.settings.is_running {
        webhooks(facts, found);
    }
}

/// Adds the possible causes why no provider has reported a payment.
fn webhooks(facts: &Facts, found: &mut Findings) {
    if facts.webhooks.is_empty() {
        found.add(Some(Missing::Payment), Cause::NoWebhook);
        return;
    }
    for webhook in facts.webhooks.values() {
        let is_newest = |at_ms: Option<i64>| at_ms.is_some() && at_ms > webhook.proven_ms;
        let troubles = [
            (webhook.unproven_ms, Cause::BadSignature),
            (webhook.unreadable_ms, Cause::UnreadableNotification),
        ];
        let mut is_silent = webhook.proven_ms.is_none();
        for (at_ms, cause) in troubles {
            if is_newest(at_ms) {
                found.add(Some(Missing::Payment), cause);
                is_silent = false;
            }
        }
        if is_silent {
            found.add(Some(Missing::Payment), Cause::WebhookSilent);
        }
    }
}
