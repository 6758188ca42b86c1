//! Tests refunds, chargebacks and voids that arrive in any sequence.

use super::{
    kinds::{dollars, registration, taken_back, told},
    *,
};
use crate::{
    limits::DELIVERY_MS,
    orders::Status,
    payments::{Kind, Share},
};

/// Returns all sequences in which the numbers below `count` can come.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let shorter = orders(last).into_iter();
    let longer = shorter.flat_map(|order| {
        (0..count).map(move |place| {
            let mut order = order.clone();
            order.insert(place, last);
            order
        })
    });
    longer.collect()
}

/// Returns a refund of payment `1`. If `names_order` is true, the refund also names the order.
fn refund(id: &str, minor: i64, share: Share, names_order: bool) -> Transfer {
    let mut transfer = Transfer {
        share,
        ..taken_back(Kind::Refund, id, dollars(minor), "1")
    };
    if let OrderHint::Exact(names) = &mut transfer.hint
        && names_order
    {
        names.insert(0, Name::Order(ORDER.to_owned()));
    }
    transfer
}

#[test]
fn refunds_that_are_told_twice_count_once_in_every_order_of_arrival() {
    for (parts_name_order, sums_name_order) in
        [(false, false), (true, true), (true, false), (false, true)]
    {
        let part = |id: &str, minor| refund(id, minor, Share::Part, parts_name_order);
        let sum = |minor| {
            let share = Share::Sum(dollars(minor));
            refund(&format!("sum-{minor}"), minor, share, sums_name_order)
        };
        let all = [
            told(Kind::First, "1", dollars(2_900)),
            part("a", 1_000),
            sum(1_000),
            part("b", 900),
            sum(1_900),
        ];
        for order in orders(all.len()) {
            for is_registered_first in [true, false] {
                let mut shop = Shop::default();
                if is_registered_first {
                    shop.is_registered(1);
                }
                for number in &order {
                    shop.pays(all[*number].clone(), 2);
                }
                if !is_registered_first {
                    shop.is_registered(3);
                }
                let case = format!("{parts_name_order} {sums_name_order} {order:?}");
                assert_eq!(shop.order().net(), Some(dollars(1_000)), "{case}");
                assert_eq!(shop.texts.len(), 1, "{case}");
                shop.forgets_payments();
            }
        }
    }
}

/// Returns a bank's report of a payment. The report does not say that the amount is right, so the proxy compares it with
/// the order's amount.
fn bank(kind: Kind, id: &str, minor: i64) -> Transfer {
    Transfer {
        knows: false,
        money: dong(minor),
        ..told(kind, id, dollars(1))
    }
}

fn void(id: &str, minor: i64, payment: &str) -> Transfer {
    Transfer {
        knows: false,
        money: dong(minor),
        ..taken_back(Kind::Void, id, dollars(1), payment)
    }
}

impl Shop {
    fn costs(&mut self, dong: &str) {
        let order = registration(ORDER, dong, "VND", &json!({}));
        self.register_as(&order, 1).unwrap();
    }

    /// Records that an event has ended as a dead letter.
    fn ends(&mut self, event: &str, now_ms: i64) {
        let letter = DeadLetter {
            outcome: "withdrawn".to_owned(),
            ended_at_ms: now_ms,
            code: None,
            message: None,
            request_id: None,
            accepted_at_ms: 1,
            destination: destination(),
            event: RawValue::from_string(event.to_owned()).unwrap(),
            trace: Trace::default(),
        };
        self.decide(&TakeBack(&letter), now_ms);
    }
}

#[test]
fn the_payment_after_a_refunded_one_is_the_sale() {
    for has_ended in [false, true] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
        shop.pays(refund("back", 2_900, Share::Part, false), 3);
        assert_eq!(shop.withdrawn().len(), 1);
        if has_ended {
            shop.ends(&shop.texts[0].clone(), 4);
        }
        let again = shop.pays(told(Kind::First, "2", dollars(3_100)), 5);
        assert_eq!(again.became, Became::AmountDiffers);
        // If the event of the first payment is still pending, its withdrawal is cancelled. If this event has ended, the
        // sale is sent again.
        assert_eq!(shop.withdrawn(), [""; 0], "{has_ended}");
        let sent: Vec<_> = shop.events().into_iter().map(|(_, value)| value).collect();
        let expected = [json!(29), json!(31)];
        assert_eq!(sent, expected[..=usize::from(has_ended)]);
        let order = shop.order();
        assert_eq!(order.net(), Some(dollars(3_100)));
        assert!(!order.is_unreported() && shop.unreported == 0);
        // A third payment must be given back to its payer. A refund of payment 2 then withdraws the sale again.
        let third = shop.pays(told(Kind::First, "3", dollars(2_900)), 6);
        assert_eq!(third.became, Became::PaidBefore);
        shop.pays(taken_back(Kind::Refund, "x", dollars(2_900), "3"), 7);
        assert_eq!(shop.withdrawn(), [""; 0]);
        shop.pays(taken_back(Kind::Refund, "y", dollars(3_100), "2"), 8);
        assert_eq!(shop.withdrawn().len(), 1);
        shop.forgets_payments();
    }
}

#[test]
fn the_payment_after_one_whose_refund_came_first_is_the_sale() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    shop.pays(refund("back", 2_900, Share::Part, false), 2);
    shop.pays(told(Kind::First, "1", dollars(2_900)), 3);
    assert_eq!(shop.texts.len(), 0);
    let again = shop.pays(told(Kind::First, "2", dollars(2_900)), 4);
    assert_eq!(again.became, Became::Paid);
    assert_eq!(shop.events(), [("Purchase".to_owned(), json!(29))]);
    assert_eq!(shop.order().net(), Some(dollars(2_900)));
}

#[test]
fn a_bank_payment_after_a_refunded_one_is_the_sale_if_it_is_large_enough() {
    for (minor, became, sent) in [
        (99_000, Became::Paid, 2),
        (120_000, Became::Overpaid, 2),
        (50_000, Became::Partial, 1),
    ] {
        let mut shop = Shop::default();
        shop.costs("99000");
        shop.pays(bank(Kind::First, "1", 99_000), 2);
        shop.pays(void("void", 99_000, "1"), 3);
        shop.ends(&shop.texts[0].clone(), 4);
        let again = shop.pays(bank(Kind::First, "2", minor), 5);
        assert_eq!((again.became, shop.texts.len()), (became, sent), "{minor}");
        assert_eq!(shop.order().net(), Some(dong(minor)), "{minor}");
        // A page must never see that a paid order became unpaid again.
        assert_eq!(shop.order().status(), Status::Paid);
        assert!(!shop.order().is_unreported() && shop.unreported == 0);
        let last = shop.pays(bank(Kind::First, "3", 49_000), 6);
        let (became, value) = match became {
            Became::Partial => (Became::Paid, 99_000),
            _ => (Became::PaidBefore, minor),
        };
        assert_eq!(last.became, became, "{minor}");
        assert_eq!(shop.events()[1..], [("Purchase".to_owned(), json!(value))]);
    }
}

#[test]
fn a_renewal_after_a_refund_is_the_sale_while_tiktok_may_not_have_it() {
    for (after_ms, became) in [(4, Became::Paid), (3 + DELIVERY_MS, Became::Renewed)] {
        let mut shop = Shop::default();
        shop.is_registered(1);
        shop.pays(told(Kind::First, "1", dollars(2_900)), 2);
        shop.pays(refund("back", 2_900, Share::Part, false), 3);
        let renewal = shop.pays(told(Kind::Renewal, "2", dollars(2_900)), after_ms);
        assert_eq!(renewal.became, became);
        assert_eq!(
            shop.withdrawn().len(),
            usize::from(became == Became::Renewed)
        );
        assert_eq!(shop.order().net(), Some(dollars(2_900)));
    }
}

#[test]
fn money_that_went_back_before_the_order_is_paid_does_not_pay_it() {
    for is_void_first in [false, true] {
        let mut shop = Shop::default();
        shop.costs("99000");
        let mut both = [bank(Kind::First, "1", 40_000), void("void", 40_000, "1")];
        if is_void_first {
            both.reverse();
        }
        for transfer in both {
            shop.pays(transfer, 2);
        }
        assert_eq!(shop.order().sums().len(), 2);
        let rest = shop.pays(bank(Kind::First, "2", 59_000), 3);
        assert_eq!(rest.became, Became::Partial, "{is_void_first}");
        assert_eq!(shop.order().net(), Some(dong(59_000)), "{is_void_first}");
        let last = shop.pays(bank(Kind::First, "3", 40_000), 4);
        assert_eq!(last.became, Became::Paid);
        assert_eq!(shop.events(), [("Purchase".to_owned(), json!(99_000))]);
        assert_eq!(shop.order().net(), Some(dong(99_000)), "{is_void_first}");
        shop.forgets_payments();
    }
}

#[test]
fn each_kind_and_currency_has_one_sum() {
    let mut shop = Shop::default();
    shop.is_registered(1);
    for (id, at_ms) in [("1", 2), ("2", 3)] {
        shop.pays(told(Kind::First, id, dollars(2_900)), at_ms);
    }
    shop.pays(refund("back", 2_900, Share::Part, false), 4);
    let kinds: Vec<_> = shop.order().sums().iter().map(|sum| sum.kind).collect();
    assert_eq!(kinds, [Kind::First, Kind::Refund]);
}

#[test]
fn the_refund_of_a_second_payment_takes_nothing_from_the_sale_in_every_order_of_arrival() {
    for names_order in [false, true] {
        for minor in [900, 3_100] {
            let all = [
                told(Kind::First, "2", dollars(2_900)),
                told(Kind::First, "1", dollars(3_100)),
                refund("back", minor, Share::Part, names_order),
            ];
            for order in orders(all.len()) {
                let mut shop = Shop::default();
                shop.is_registered(1);
                for number in &order {
                    shop.pays(all[*number].clone(), 2);
                }
                let case = format!("{names_order} {minor} {order:?}");
                let is_of_sale = shop.payment("2").became == Became::PaidBefore;
                let left = match (is_of_sale, minor) {
                    (true, 900) => 2_200,
                    _ => 2_900,
                };
                assert_eq!(shop.order().net(), Some(dollars(left)), "{case}");
                assert_eq!(shop.withdrawn(), [""; 0], "{case}");
                assert_eq!(shop.texts.len(), 1, "{case}");
                shop.forgets_payments();
            }
        }
    }
}

#[test]
fn a_late_first_payment_is_the_sale_if_the_money_of_its_renewal_went_back() {
    let mut shop = Shop::default();
    shop.costs("99000");
    shop.pays(bank(Kind::Renewal, "1", 99_000), 2);
    shop.pays(void("void", 99_000, "1"), 3);
    for (id, minor, became) in [("2", 40_000, Became::Partial), ("3", 59_000, Became::Paid)] {
        let payment = shop.pays(bank(Kind::First, id, minor), 4);
        assert_eq!(payment.became, became, "{id}");
    }
    assert_eq!(shop.order().net(), Some(dong(99_000)));
    assert_eq!(shop.withdrawn(), [""; 0]);
}

const PAYMENTS: [(&str, i64); 3] = [("1", 2_900), ("2", 3_100), ("3", 3_300)];

/// Returns combinations of refunds for [`PAYMENTS`]. Either all three payments are refunded completely, or at most two
/// payments are refunded, each completely or in part. A refund of a whole payment names the order too.
fn refunds_of_three() -> Vec<Vec<Transfer>> {
    let mut choices = vec![Vec::new()];
    for (payment, minor) in PAYMENTS {
        let id = format!("back-{payment}");
        let whole = Transfer {
            hint: OrderHint::Exact(vec![
                Name::Order(ORDER.to_owned()),
                Name::Transfer {
                    provider: "polar".to_owned(),
                    id: payment.to_owned(),
                },
            ]),
            ..told(Kind::Refund, &id, dollars(minor))
        };
        let part = taken_back(Kind::Refund, &id, dollars(900), payment);
        let options = [None, Some(whole), Some(part)];
        let with = |chosen: &Vec<Transfer>, option: &Option<Transfer>| {
            chosen.iter().chain(option).cloned().collect()
        };
        choices = choices
            .iter()
            .flat_map(|chosen| options.iter().map(|option| with(chosen, option)))
            .collect();
    }
    let is_whole = |back: &Transfer| back.money != dollars(900);
    choices.retain(|chosen| chosen.len() < 3 || chosen.iter().all(is_whole));
    choices
}

impl Shop {
    /// Returns whether a known payment with an amount that `is_meant` accepts still has some of its money.
    fn has_left(&self, is_meant: impl Fn(i64) -> bool) -> bool {
        PAYMENTS.iter().any(|(id, minor)| {
            let payment = self.known_payment(id);
            is_meant(*minor) && payment.is_some_and(|payment| !payment.is_returned())
        })
    }
}

#[test]
fn the_money_of_an_order_is_the_money_of_its_payments_in_every_order_of_arrival() {
    for refunds in refunds_of_three() {
        let payments = PAYMENTS.map(|(id, minor)| told(Kind::First, id, dollars(minor)));
        let all: Vec<_> = payments.into_iter().chain(refunds.clone()).collect();
        for order in orders(all.len()) {
            let mut shop = Shop::default();
            shop.is_registered(1);
            let case: Vec<_> = order.iter().map(|number| &all[*number].id).collect();
            let case = format!("{case:?} of {refunds:?}");
            for number in &order {
                let sent = shop.texts.len();
                shop.pays(all[*number].clone(), 2);
                for (_, value) in &shop.events()[sent..] {
                    let is_left = shop.has_left(|minor| *value == json!(minor / 100));
                    assert!(
                        is_left,
                        "a payment with the reported value {value} must have money left: {case}"
                    );
                }
            }
            let [mut of_sale, mut owed] = [0; 2];
            for (id, minor) in PAYMENTS {
                let back = refunds.iter().find(|back| back.id == format!("back-{id}"));
                let left = minor - back.map_or(0, |back| back.money.minor_units());
                let is_owed = shop.payment(id).became == Became::PaidBefore;
                *if is_owed { &mut owed } else { &mut of_sale } += left;
            }
            assert_eq!(shop.order().net(), Some(dollars(of_sale)), "{case}");
            // The money that is left counts first for the sale. Only if the sale has money left can the shop owe money to a
            // payer.
            assert!(of_sale > 0 || owed == 0, "{case}");
            let is_withdrawn = of_sale == 0 && !shop.texts.is_empty();
            assert_eq!(shop.withdrawn().is_empty(), !is_withdrawn, "{case}");
            assert_eq!(shop.unreported, 0, "{case}");
        }
    }
}

#[test]
fn a_payment_in_another_currency_that_went_back_is_no_sale_after_a_registration_in_its_currency() {
    let mut shop = Shop::default();
    shop.costs("99000");
    let paid = Transfer {
        knows: false,
        ..told(Kind::First, "1", dollars(2_900))
    };
    assert_eq!(shop.pays(paid, 2).became, Became::OtherCurrency);
    shop.pays(taken_back(Kind::Void, "void", dollars(2_900), "1"), 3);
    assert_eq!(shop.is_registered(4).net(), Some(dollars(0)));
    assert_eq!(shop.texts, [""; 0]);
}
