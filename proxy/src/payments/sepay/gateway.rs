//! Format B: a notification of SePay's payment gateway.

use duet_events::{Invalid, rule::reject};

use super::{PROVIDER, fields::Fields};
use crate::payments::{Notification, OrderHint, Refused, Transfer};

pub(super) fn read(fields: &Fields<'_>) -> Result<Notification, Refused> {
    if fields.is("notification_type", "TRANSACTION_VOID") {
        return Ok(Notification::Ignored("void"));
    }
    if !fields.is("notification_type", "ORDER_PAID") {
        return Ok(Notification::Ignored("unknown_type"));
    }
    let mut problems = Vec::new();
    let order = fields.object("order");
    let transaction = fields.object("transaction");
    for (name, object) in [("order", &order), ("transaction", &transaction)] {
        if object.is_none() {
            problems.push(Invalid::of(&reject::OBJECT, name));
        }
    }
    let (Some(order), Some(transaction)) = (order, transaction) else {
        return Err(Refused::Invalid(problems));
    };
    if !order.is("order_status", "CAPTURED") {
        return Ok(Notification::Ignored("not_captured"));
    }
    if !transaction.is("transaction_status", "APPROVED") {
        return Ok(Notification::Ignored("not_approved"));
    }
    if !order.is("order_currency", "VND") {
        return Ok(Notification::Ignored("other_currency"));
    }
    let invoice = order.order_id(&["order_invoice_number"], &mut problems);
    let amount = order.amount(&["order_amount"], &mut problems);
    let taken = transaction.amount(&["transaction_amount"], &mut problems);
    let transaction_id = transaction.transaction_id(&["transaction_id"], &mut problems);
    let (Some(invoice), Some(amount), Some(taken), Some(transaction_id)) =
        (invoice, amount, taken, transaction_id)
    else {
        return Err(Refused::Invalid(problems));
    };
    let transfer = Transfer {
        provider: PROVIDER,
        // With a word in front, so that it never is a bank transfer's number.
        id: format!("gateway:{transaction_id}:ORDER_PAID"),
        amount: taken,
        account: None,
        reference: order.remark(&["order_id"]),
        hint: OrderHint::Exact(invoice),
    };
    Ok(if taken == 0 {
        Notification::Parked(transfer, "zero_amount")
    } else if taken != amount {
        Notification::Parked(transfer, "amounts_differ")
    } else {
        Notification::Paid(transfer)
    })
}
