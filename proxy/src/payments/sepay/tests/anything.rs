//! Tests properties that must hold for every input.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::money::Currency;

const NAMES: &[&str] = &[
    "id",
    "transferType",
    "transferAmount",
    "accountNumber",
    "subAccount",
    "code",
    "content",
    "description",
    "referenceCode",
    "notification_type",
    "order",
    "transaction",
    "order_status",
    "order_currency",
    "order_amount",
    "order_invoice_number",
    "order_id",
    "transaction_id",
    "transaction_status",
    "transaction_amount",
    "orderId",
    "transactionId",
    "amount",
    "amount_in",
    "currency",
    "status",
    "timestamp",
    "signature",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(vec![
            "in",
            "out",
            "ORDER_PAID",
            "CAPTURED",
            "APPROVED",
            "VND",
            "success",
            "failed",
            ""
        ])
        .prop_map(|text| json!(text)),
        any::<i64>().prop_map(|number| json!(number)),
        (1..200_000_i64).prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,140}".prop_map(|text| json!(text)),
        Just(json!(null)),
        any::<bool>().prop_map(|truth| json!(truth)),
    ];
    leaf.prop_recursive(2, 64, 12, |inner| {
        let pair = (select(NAMES), inner.clone());
        let object = vec(pair, 0..12).prop_map(|pairs| {
            let pairs = pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Value::Object(pairs.collect())
        });
        prop_oneof![object, vec(inner, 0..4).prop_map(Value::Array)]
    })
}

/// Generates an object that has one of the formats, except that some fields have other values.
fn nearly() -> impl Strategy<Value = Value> {
    let format = select(vec![example(), formats::gateway(), formats::form("")]);
    let nested = select(vec!["", "order", "transaction"]);
    let change = (nested, select(NAMES), value());
    (format, vec(change, 0..4)).prop_map(|(mut body, changes)| {
        for (object, name, value) in changes {
            let place = if object.is_empty() {
                Some(&mut body)
            } else {
                body.get_mut(object)
            };
            if let Some(Value::Object(map)) = place {
                map.insert(name.to_owned(), value);
            }
        }
        body
    })
}

proptest! {
    #[test]
    fn a_payment_has_an_amount_and_an_id_that_can_be_kept(body in prop_oneof![value(), nearly()]) {
        if let Ok(Notification::Paid(transfer) | Notification::Parked(transfer, _)) = told(&body) {
            prop_assert!((0..=duet_events::MAX_MINOR).contains(&transfer.money.minor_units()));
            prop_assert_eq!(transfer.money.currency(), Currency::VND);
            prop_assert!((1..=128).contains(&transfer.id.chars().count()));
            prop_assert!(!transfer.id.chars().any(char::is_control));
            prop_assert!(transfer.account.is_none_or(|account| account.chars().count() <= 4));
            prop_assert!(transfer.reference.is_none_or(|text| text.chars().count() <= 128));
        }
        if let Ok(Notification::Paid(transfer)) = told(&body) {
            prop_assert!(!transfer.money.is_zero());
        }
    }

    #[test]
    fn nobody_without_the_secret_is_believed(
        body in prop_oneof![nearly().prop_map(|body| body.to_string()), "\\PC{0,80}"],
        scheme in select(vec!["Apikey ", "Bearer Apikey ", "Bearer ", "Basic ", ""]),
        key in "[ -~]{0,24}",
        name in select(vec!["authorization", "x-sepay-webhook-secret", "x-secret-key", "x-sepay-signature"]),
        timestamp in select(vec!["", "1774422157", "-1", "99999999999999999999"]),
        auth in select(vec![Auth::ApiKey, Auth::Hmac]),
    ) {
        prop_assume!(!key.contains("sandbox-secret"));
        let presented = format!("{scheme}{key}");
        let headers = headers(&[(name, presented.as_str()), ("x-sepay-timestamp", timestamp)]);
        let read = read(&settings(auth), &headers, body.as_bytes(), SIGNED_AT_S);
        prop_assert_eq!(read, Err(Refused::Unauthorised));
    }

    #[test]
    fn no_changed_byte_passes_a_signature(at in 0..300_usize, by in 1..=255_u8) {
        let mut body = EXAMPLE.as_bytes().to_vec();
        body[at] = body[at].wrapping_add(by);
        let timestamp = SIGNED_AT_S.to_string();
        let headers = headers(&[
            ("x-sepay-signature", SIGNATURE),
            ("x-sepay-timestamp", timestamp.as_str()),
        ]);
        let read = read(&settings(Auth::Hmac), &headers, &body, SIGNED_AT_S);
        prop_assert_eq!(read, Err(Refused::Unauthorised));
    }
}
