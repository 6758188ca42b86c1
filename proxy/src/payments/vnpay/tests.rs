use super::*;
use crate::payments::{
    Kind,
    samples::{Sent, VNPAY, VNPAY_SECRET, by_vnpay, ignored, told, vnpay},
};

fn sent(from: &str, to: &str) -> Sent {
    let query = VNPAY.replace(from, to);
    assert!(from == to || query != VNPAY);
    by_vnpay(&query, VNPAY_SECRET)
}

#[test]
fn a_payment_names_its_order_by_id_or_number() {
    let transfer = told(sent("", "").read(&vnpay()));
    assert_eq!(
        (transfer.provider, transfer.id.as_str()),
        ("vnpay", "14226112")
    );
    assert_eq!(transfer.money.to_string(), "99000 VND");
    let order = "PHO7K3M9Q2X".to_owned();
    let names = vec![Name::Order(order.clone()), Name::reference("vnpay", order)];
    assert_eq!(transfer.hint, OrderHint::Exact(names));
    assert_eq!(transfer.reference.as_deref(), Some("VNP14226112"));
    assert!(!transfer.knows && !transfer.is_test && transfer.kind == Kind::First);
}

#[test]
fn the_query_is_signed_without_what_is_empty_or_is_not_vnpays() {
    let genuine = sent("", "");
    let with = |more: &str| Sent {
        query: format!("{}&{more}", genuine.query),
        ..Sent::default()
    };
    for more in [
        "vnp_SecureHashType=HMACSHA512",
        "vnp_CurrCode=",
        "utm_source=x&shop=1",
        "",
    ] {
        assert_eq!(told(with(more).read(&vnpay())).id, "14226112", "{more}");
    }
    for more in [
        "vnp_Amount=100",
        "vnp_SecureHash=00",
        "vnp_CurrCode=VND",
        "vnp%5FAmount=100",
    ] {
        assert_eq!(
            with(more).read(&vnpay()),
            Err(Refused::Unauthorised),
            "{more}"
        );
    }
    let mut parts: Vec<_> = genuine.query.split('&').collect();
    parts.reverse();
    let query = parts.join("&").replace('+', "%20");
    assert_eq!(
        told(
            Sent {
                query,
                ..Sent::default()
            }
            .read(&vnpay())
        )
        .id,
        "14226112"
    );
    let capitals = genuine.query.split_once("vnp_SecureHash=").unwrap();
    let query = format!("{}vnp_SecureHash={}", capitals.0, capitals.1.to_uppercase());
    assert_eq!(
        told(
            Sent {
                query,
                ..Sent::default()
            }
            .read(&vnpay())
        )
        .id,
        "14226112"
    );
}

#[test]
fn the_query_is_signed_as_it_was_sent_or_in_the_form_of_vnpays_samples() {
    // .NET, Java, PHP and JavaScript encode these characters differently.
    for info in ["A+(1)!*~%27", "A%201+%281%29", "%c4%90%c6%a1n"] {
        let genuine = sent("Thanh+toan+PHO7K3M9Q2X", info);
        assert!(genuine.query.contains(info));
        assert_eq!(told(genuine.read(&vnpay())).id, "14226112", "{info}");
        let changed = Sent {
            query: genuine.query.replace("Amount=9900000", "Amount=9900100"),
            ..Sent::default()
        };
        let refused = Err(Refused::Unauthorised);
        assert_eq!(changed.read(&vnpay()), refused, "{info}");
    }
}

#[test]
fn what_is_not_paid_pays_nothing() {
    for (from, to) in [
        ("vnp_ResponseCode=00", "vnp_ResponseCode=24"),
        ("vnp_TransactionStatus=00", "vnp_TransactionStatus=02"),
        ("vnp_TransactionStatus=00&", ""),
    ] {
        assert_eq!(ignored(sent(from, to).read(&vnpay())), "not_paid");
    }
    let nothing = sent("vnp_Amount=9900000", "vnp_Amount=0");
    assert!(told(nothing.read(&vnpay())).money.is_zero());
    for amount in ["9900050", "99000.00", "-9900000", "x"] {
        let sent = sent("vnp_Amount=9900000", &format!("vnp_Amount={amount}"));
        assert!(
            matches!(sent.read(&vnpay()), Err(Refused::Invalid(_))),
            "{amount}"
        );
    }
}

#[test]
fn another_terminals_money_is_put_aside() {
    let other = sent("vnp_TmnCode=DUETTEST", "vnp_TmnCode=OTHER001");
    let read = other.read(&vnpay());
    assert!(
        matches!(read, Ok(Notification::Parked(_, "wrong_terminal"))),
        "{read:?}"
    );
}

#[test]
fn every_verdict_has_vnpays_own_answer() {
    let shop = vnpay();
    for (verdict, code) in [
        (Verdict::Recorded, "00"),
        (Verdict::Ignored, "00"),
        (Verdict::UnknownOrder, "01"),
        (Verdict::Repeat, "02"),
        (Verdict::OtherAmount, "04"),
        (Verdict::Unproven, "97"),
        (Verdict::NotCounted, "99"),
        (Verdict::Unusable, "99"),
        (Verdict::Unavailable, "99"),
    ] {
        let answer: Value = serde_json::from_str(shop.answer(verdict).unwrap()).unwrap();
        assert_eq!(answer["RspCode"], code);
        assert!(answer["Message"].is_string());
    }
}
