//! Format B: a notification of SePay's payment gateway.

use duet_events::{Invalid, rule::reject};

use super::{Fields, PROVIDER};
use crate::payments::{Kind, Name, Notification, OrderHint, Refused, Transfer};

/// The notifications about money, and the kind of each.
const WORDS: [(&str, Kind); 3] = [
    ("ORDER_PAID", Kind::First),
    ("RENEWAL_ORDER_PAID", Kind::Renewal),
    ("TRANSACTION_VOID", Kind::Void),
];

pub(super) fn read(fields: &Fields<'_>) -> Result<Notification, Refused> {
    let Some((word, kind)) = WORDS
        .into_iter()
        .find(|(word, _)| fields.is("notification_type", word))
    else {
        return Ok(Notification::Ignored("unknown_type"));
    };
    if kind == Kind::Void {
        return Ok(void(fields).map_or(Notification::Ignored("void"), Notification::Paid));
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
    let amount = order.dong(&["order_amount"], &mut problems);
    let taken = transaction.dong(&["transaction_amount"], &mut problems);
    let transaction_id = transaction.transaction_id(&["transaction_id"], &mut problems);
    let (Some(invoice), Some(amount), Some(taken), Some(transaction_id)) =
        (invoice, amount, taken, transaction_id)
    else {
        return Err(Refused::Invalid(problems));
    };
    let id = id_of(&transaction_id, word);
    let transfer = Transfer {
        kind,
        reference: order.remark(&["order_id"]),
        ..Transfer::new(PROVIDER, id, taken, OrderHint::order(invoice))
    };
    Ok(if taken.is_zero() {
        Notification::Parked(transfer, "zero_amount")
    } else if taken != amount {
        Notification::Parked(transfer, "amounts_differ")
    } else {
        Notification::Paid(transfer)
    })
}

/// Returns the ids of the transfers that notifications about this transaction can report.
pub(super) fn ids_of(transaction_id: &str) -> impl Iterator<Item = String> {
    WORDS
        .into_iter()
        .map(|(word, _)| id_of(transaction_id, word))
}

/// Returns a transfer's id that differs from the id of every bank transfer.
fn id_of(transaction_id: &str, word: &str) -> String {
    format!("gateway:{transaction_id}:{word}")
}

/// Reads a cancelled payment. The transfer names only this payment and not the order, because the payer may have paid the
/// order with another payment. Returns `None` if the notification has no id or no amount. SePay does not document the
/// format of this notification.
fn void(fields: &Fields<'_>) -> Option<Transfer> {
    let problems = &mut Vec::new();
    let transaction = fields.object("transaction")?;
    let paid = transaction.transaction_id(&["transaction_id"], problems)?;
    let money = transaction.dong(&["transaction_amount"], problems)?;
    let names = ["ORDER_PAID", "RENEWAL_ORDER_PAID"].map(|word| Name::Transfer {
        provider: PROVIDER.to_owned(),
        id: id_of(&paid, word),
    });
    let id = id_of(&paid, "TRANSACTION_VOID");
    let hint = OrderHint::Exact(names.into());
    Some(Transfer {
        kind: Kind::Void,
        ..Transfer::new(PROVIDER, id, money, hint)
    })
}
