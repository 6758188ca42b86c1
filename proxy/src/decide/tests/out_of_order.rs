//! Tests renewals, free first payments and refunds that arrive before the payment to which they belong.

use super::{
    kinds::{dollars, registration, taken_back, told},
    *,
};
use crate::{limits::WAITING_PAYMENT_MS, orders::Status, payments::Kind, payments::Share};

/// Returns a report that names only the subscription and not the order.
fn of_subscription(kind: Kind, id: &str, money: Money) -> Transfer {
    taken_back(kind, id, money, "sub")
}

/// Returns the report of the subscription's first payment.
fn first(id: &str, money: Money) -> Transfer {
    Transfer {
        also: vec!["sub".to_owned()],
        ..told(Kind::First, id, money)
    }
}

fn refund(id: &str, money: Money, share: Share, payment: &str) -> Transfer {
    Transfer {
        share,
        ..taken_back(Kind::Refund, id, money, payment)
    }
}

impl Shop {
    /// Sends an event again that ended as a dead letter. Returns how many dead letters are sent.
    fn replays(&mut self, event: &str) -> usize {
        let letter = DeadLetter {
            outcome: "withdrawn".to_owned(),
            ended_at_ms: 3,
            code: None,
            message: None,
            request_id: None,
            accepted_at_ms: 3,
            destination: destination(),
            event: RawValue::from_string(event.to_owned()).unwrap(),
            trace: Trace::default(),
        };
        let id = LetterId::new(3, 70);
        self.records.letters.insert(id, Some(letter.clone()));
        self.decide(&Replay(&[(id, letter)]), 3)
    }
}

#[test]
fn a_renewal_that_names_its_order_pays_it_when_the_shops_server_registers_it() {
    for (now_ms, status, sales) in [
        (WAITING_PAYMENT_MS, Status::Paid, 1),
        (1 + WAITING_PAYMENT_MS, Status::Pending, 0),
    ] {
        let mut shop = Shop::default();
        shop.pays(told(Kind::Renewal, "2", dollars(2_900)), 1);
        assert_eq!(shop.is_registered(now_ms).status(), status);
        assert_eq!(shop.texts.len(), sales);
        shop.is_registered(now_ms);
        assert_eq!(shop.texts.len(), sales);
        shop.forgets_payments();
    }
}

#[test]
fn the_first_payment_is_the_sale_whenever_its_order_is_registered() {
    let mut shop = Shop::default();
    shop.pays(told(Kind::Renewal, "2", dollars(3_100)), 1);
    shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
    let order = registration(ORDER, "29.00", "USD", &json!({}));
    let reports = Reports {
        renewals: EventName::parse("Subscribe").ok(),
        ..destination().into()
    };
    let register = Register {
        order: &order,
        reports: &reports,
    };
    shop.decide(&register, 3).unwrap();
    let renewed = ("Subscribe".to_owned(), json!(31));
    assert_eq!(shop.events(), [("Purchase".to_owned(), json!(29)), renewed]);
    assert_eq!(shop.payment("1").became, Became::Paid);
    assert_eq!(shop.payment("2").became, Became::Renewed);
    assert_eq!(shop.order().net(), Some(dollars(6_000)));
}

#[test]
fn a_first_payment_that_comes_after_its_renewal_is_not_owed_to_the_payer() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    let early = shop.pays(told(Kind::Renewal, "2", dollars(2_900)), 2);
    assert_eq!(early.became, Became::Paid);
    let first = shop.pays(told(Kind::First, "1", dollars(2_900)), 3);
    assert_eq!(
        (first.became, first.became.is_parked()),
        (Became::Renewed, false)
    );
    assert_eq!(shop.order().net(), Some(dollars(5_800)));
    assert_eq!(shop.texts.len(), 1);
    let second = shop.pays(told(Kind::First, "3", dollars(2_900)), 4);
    assert_eq!(second.became, Became::PaidBefore);
}

#[test]
fn a_banks_renewal_of_an_unpaid_order_is_the_sale_if_it_is_large_enough() {
    let bank = |kind, id, minor| Transfer {
        knows: false,
        ..told(kind, id, dollars(minor))
    };
    for (minor, became, then) in [
        (2_900, Became::Paid, Became::Renewed),
        (3_100, Became::Overpaid, Became::Renewed),
        (900, Became::Partial, Became::Overpaid),
    ] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        let early = shop.pays(bank(Kind::Renewal, "2", minor), 2);
        assert_eq!(early.became, became);
        let first = shop.pays(bank(Kind::First, "1", 2_900), 3);
        assert_eq!(first.became, then);
        let later = shop.pays(bank(Kind::Renewal, "3", 2_900), 4);
        assert_eq!(later.became, Became::Renewed);
        assert_eq!(shop.texts.len(), 1);
        assert_eq!(shop.order().net(), Some(dollars(minor + 5_800)));
    }
}

#[test]
fn the_first_amount_above_a_free_trial_is_the_sale_though_it_names_only_the_subscription() {
    let trial = || first("trial", dollars(0));
    let renewal = |id| of_subscription(Kind::Renewal, id, dollars(2_900));
    for is_trial_first in [true, false] {
        for is_registered_first in [true, false] {
            let mut shop = Shop::default();
            if is_registered_first {
                shop.is_registered(1);
            }
            let mut both = [trial(), renewal("1")];
            if !is_trial_first {
                both.reverse();
            }
            for transfer in both {
                shop.pays(transfer, 2);
            }
            if !is_registered_first {
                assert_eq!(shop.texts.len(), 0);
                shop.is_registered(3);
            }
            let case = format!("{is_trial_first} {is_registered_first}");
            assert_eq!(
                shop.events(),
                [("Purchase".to_owned(), json!(29))],
                "{case}"
            );
            assert_eq!(shop.payment("trial").became, Became::Free, "{case}");
            assert_eq!(shop.payment("1").became, Became::Paid, "{case}");
            assert_eq!(shop.pays(renewal("2"), 4).became, Became::Renewed, "{case}");
            assert_eq!(shop.texts.len(), 1, "{case}");
            let again = shop.pays(told(Kind::First, "other", dollars(2_900)), 5);
            assert_eq!(again.became, Became::PaidBefore, "{case}");
            shop.forgets_payments();
        }
    }
}

#[test]
fn a_free_invoice_learns_its_order_from_the_session_that_comes_later() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    let invoice = Transfer {
        hint: OrderHint::Exact(Vec::new()),
        ..first("invoice", dollars(0))
    };
    shop.pays(invoice, 2);
    let session = Transfer {
        also: vec!["invoice".to_owned(), "sub".to_owned()],
        ..told(Kind::First, "session", dollars(0))
    };
    shop.pays(session, 3);
    let paid = shop.pays(of_subscription(Kind::Renewal, "1", dollars(2_900)), 4);
    assert_eq!(paid.became, Became::Paid);
    shop.forgets_payments();
}

#[test]
fn a_refund_of_nothing_known_is_listed_until_its_payment_comes() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    let back = || refund("back", dollars(900), Share::Part, "1");
    let taken = shop.pays(back(), 2);
    assert_eq!(
        (taken.became, taken.became.is_parked()),
        (Became::Unmatched, true)
    );
    shop.pays(told(Kind::First, "1", dollars(2_900)), 3);
    assert_eq!(shop.payment("back").became, Became::Returned);
    assert_eq!(shop.order().net(), Some(dollars(2_000)));
    shop.forgets_payments();
}

#[test]
fn the_refund_of_the_first_of_two_payments_leaves_the_order_paid_by_the_second() {
    let back = |id: &str, payment: &str| refund(id, dollars(2_900), Share::Part, payment);
    for (backs, lefts) in [(["1", "2"], [2_900, 0]), (["2", "1"], [2_900, 0])] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
        shop.pays(told(Kind::First, "2", dollars(2_900)), 3);
        for (payment, left) in backs.into_iter().zip(lefts) {
            shop.pays(back(&format!("back-{payment}"), payment), 4);
            assert_eq!(shop.order().net(), Some(dollars(left)), "{backs:?}");
            assert_eq!(shop.withdrawn().is_empty(), left > 0, "{backs:?}");
            // After the first payment is refunded, the second payment is the sale, except if the second payment was
            // refunded before the first.
            let second = shop.payment("2").became;
            let is_owed = backs[0] == "2";
            assert_eq!(second == Became::PaidBefore, is_owed, "{backs:?}");
        }
        shop.forgets_payments();
    }
}

#[test]
fn a_second_payment_that_becomes_the_sale_is_what_the_order_received() {
    for is_back_first in [false, true] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
        let mut both = [
            told(Kind::First, "2", dollars(3_100)),
            refund("a", dollars(900), Share::Part, "2"),
        ];
        if is_back_first {
            both.reverse();
        }
        for transfer in both {
            shop.pays(transfer, 3);
        }
        assert_eq!(shop.order().received(), Some(dollars(2_900)));
        shop.pays(refund("b", dollars(2_900), Share::Part, "1"), 4);
        let order = shop.order();
        assert_eq!(order.received(), Some(dollars(3_100)));
        assert_eq!(order.net(), Some(dollars(2_200)));
        let sums = [(Kind::First, 6_000), (Kind::Refund, 3_800)];
        let found = order.sums().into_iter().map(|sum| (sum.kind, sum.money));
        assert!(found.eq(sums.map(|(kind, minor)| (kind, dollars(minor)))));
    }
}

#[test]
fn a_renewal_that_is_taken_back_as_a_whole_is_not_reported() {
    for is_refund_first in [false, true] {
        for amount in [2_900, 900] {
            let mut shop = Shop::default();
            shop.is_registered(1);
            shop.pays(first("1", dollars(2_900)), 2);
            let renewal = told(Kind::Renewal, "2", dollars(2_900));
            let mut back = refund("back", dollars(amount), Share::Part, "2");
            if let OrderHint::Exact(names) = &mut back.hint {
                names.insert(0, Name::Order(ORDER.to_owned()));
            }
            let mut both = [renewal, back];
            if is_refund_first {
                both.reverse();
            }
            for transfer in both {
                shop.pays_by(transfer, Some("Subscribe"), None, 3);
            }
            let own = EventId::derive("Subscribe", &format!("{ORDER}/2"));
            let case = format!("{is_refund_first} {amount}");
            let is_whole = amount == 2_900;
            let is_sent = shop.texts.len() == 2;
            let is_withdrawn = shop.withdrawn() == [own.as_str()];
            assert_eq!(is_sent, !(is_whole && is_refund_first), "{case}");
            assert_eq!(is_withdrawn, is_whole && !is_refund_first, "{case}");
            assert_eq!(shop.order().net(), Some(dollars(5_800 - amount)), "{case}");
            if is_withdrawn {
                assert_eq!(shop.replays(&shop.texts[1].clone()), 0, "{case}");
            }
            shop.decide(&Withdraw(ORDER), 4);
            assert_eq!(shop.withdrawn(), [""; 0]);
            shop.forgets_payments();
        }
    }
}

#[test]
fn refunds_and_their_sums_count_once_in_any_order() {
    let part = |id: &str, minor| refund(id, dollars(minor), Share::Part, "1");
    let sum = |id: &str, minor| refund(id, dollars(minor), Share::Sum(dollars(minor)), "1");
    let all = [
        part("a", 900),
        sum("sum-900", 900),
        part("b", 900),
        sum("sum-1800", 1_800),
    ];
    let [a, sum_a, b, sum_b] = [0, 1, 2, 3];
    for order in [
        &[a, sum_a, b, sum_b][..],
        &[sum_a, a, sum_b, b],
        &[b, a, sum_b, sum_a],
        &[sum_b, sum_a, b, a],
        &[sum_a, sum_b],
        &[sum_b, sum_a],
        &[a, b],
    ] {
        for is_refund_first in [false, true] {
            let mut shop = Shop::default();
            shop.is_registered(1);
            let paid = told(Kind::First, "1", dollars(2_900));
            if !is_refund_first {
                shop.pays(paid.clone(), 2);
            }
            for number in order {
                shop.pays(all[*number].clone(), 3);
            }
            if is_refund_first {
                shop.pays(paid, 4);
            }
            let net = shop.order().net();
            assert_eq!(net, Some(dollars(1_100)), "{order:?} {is_refund_first}");
            shop.forgets_payments();
        }
    }
    // A dispute is not part of the sum of refunds that the provider states.
    let mut shop = Shop::default();
    shop.is_registered(1);
    shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
    shop.pays(
        taken_back(Kind::Chargeback, "dispute", dollars(900), "1"),
        3,
    );
    shop.pays(sum("sum-900", 900), 4);
    assert_eq!(shop.order().net(), Some(dollars(1_100)));
}

#[test]
fn a_payment_in_another_currency_pays_when_the_order_is_registered_in_its_currency() {
    let mut shop = Shop::default();
    let dong = registration(ORDER, "99000", "VND", &json!({}));
    shop.register_as(&dong, 1).unwrap();
    let transfer = Transfer {
        knows: false,
        ..told(Kind::First, "1", dollars(2_900))
    };
    assert_eq!(shop.pays(transfer, 2).became, Became::OtherCurrency);
    let other = registration(ORDER, "98000", "VND", &json!({}));
    let unpaid = shop.register_as(&other, 3).unwrap();
    assert_eq!(unpaid.status(), Status::Pending);
    assert_eq!(shop.payment("1").became, Became::OtherCurrency);
    assert_eq!(shop.is_registered(4).status(), Status::Paid);
    assert_eq!(shop.payment("1").became, Became::Paid);
    assert_eq!(shop.events(), [("Purchase".to_owned(), json!(29))]);
    shop.forgets_payments();
}
