//! Finds the order that a transfer pays. The result is exactly one order, no order, or several possible orders.
//!
//! Anybody can begin an order with a page's event. If a memo could name two orders, an order that the shop's server
//! registered therefore wins over an order that only a page began.

use super::memo::{ANYWHERE, Candidate, Memo, OrderPattern, Strength};
use crate::orders::{Order, Status};

/// The result of comparing a memo with all known orders.
#[derive(Debug)]
pub enum Match {
    /// The memo names this order.
    One(Box<Order>),
    /// The memo names no known order.
    None,
    /// The memo names several unpaid orders.
    Several,
}

/// A part of a memo, and the orders that this part can name.
struct Named {
    candidate: Candidate,
    orders: Vec<Order>,
}

/// Returns the order that a memo names. Calls `orders_that_read` for each candidate of the memo, the most certain
/// candidates first. If a candidate names an order that the shop's server registered, less certain candidates are not
/// tried. If no candidate names such an order, the orders with the highest certainty count. A candidate that is only a
/// piece of a longer known id does not count.
///
/// # Errors
/// Returns the errors of `orders_that_read`.
pub fn matched<E>(
    memo: &Memo,
    pattern: Option<&OrderPattern>,
    mut orders_that_read: impl FnMut(&str) -> Result<Vec<Order>, E>,
) -> Result<Match, E> {
    let mut begun: Vec<Named> = Vec::new();
    let mut registered: Vec<Named> = Vec::new();
    for candidate in memo.candidates(pattern) {
        let is_weaker = |named: &Vec<Named>| {
            let first = named.first();
            first.is_some_and(|first| first.candidate.strength != candidate.strength)
        };
        if is_weaker(&registered) {
            break;
        }
        let mut longer = registered.iter();
        if longer.any(|longer| candidate.lies_inside(&longer.candidate)) {
            continue;
        }
        let is_late = is_weaker(&begun);
        let mut orders = orders_that_read(&candidate.text)?;
        orders.retain(|order| order.is_registered() || !is_late && could_be_meant(&candidate));
        let orders = nearest(orders, |id| memo.spells(&candidate, id));
        let found = Named { candidate, orders };
        if found.is_registered() {
            registered.push(found);
        } else if !found.orders.is_empty() {
            begun.push(found);
        }
    }
    if registered.is_empty() {
        registered = undisputed(begun);
    }
    Ok(meant(registered))
}

impl Named {
    fn is_registered(&self) -> bool {
        self.orders.iter().any(Order::is_registered)
    }

    /// Returns when the oldest of these orders was begun, in Unix milliseconds.
    fn begun_ms(&self) -> i64 {
        let begun = self.orders.iter().map(Order::begun_ms);
        begun.min().unwrap_or(i64::MAX)
    }
}

/// Chooses between orders that only pages began and whose candidates share letters of the memo. Anybody can begin an
/// order whose id contains a part of another order's id, or contains the other id and more words. Therefore a candidate
/// that is a whole word wins over a part of a word. If both candidates are whole words and one contains the other, the
/// order that was begun earlier wins, because a stranger learns an id only after its order was begun.
fn undisputed(named: Vec<Named>) -> Vec<Named> {
    let loses = |one: &Named, other: &Named| {
        let (one_is_whole, other_is_whole) = (one.candidate.is_whole, other.candidate.is_whole);
        if !one.candidate.overlaps(&other.candidate) {
            return false;
        }
        let lies_inside = one.candidate.lies_inside(&other.candidate);
        let holds = other.candidate.lies_inside(&one.candidate);
        match (one_is_whole, other_is_whole) {
            (true, false) => false,
            (false, true) => true,
            (true, true) if lies_inside => other.begun_ms() <= one.begun_ms(),
            (true, true) => holds && other.begun_ms() < one.begun_ms(),
            (false, false) => lies_inside,
        }
    };
    let lost: Vec<bool> = named
        .iter()
        .map(|one| named.iter().any(|other| loses(one, other)))
        .collect();
    let kept = named.into_iter().zip(lost).filter(|(_, is_lost)| !is_lost);
    kept.map(|(named, _)| named).collect()
}

/// Chooses between orders whose ids look the same in a memo. If the shop's server registered some of these orders,
/// removes the others. Of the rest, if the memo spells the ids of some orders exactly, removes the others.
fn nearest(mut orders: Vec<Order>, is_spelled: impl Fn(&str) -> bool) -> Vec<Order> {
    prefer(&mut orders, Order::is_registered);
    prefer(&mut orders, |order| is_spelled(order.id()));
    orders
}

fn meant(named: Vec<Named>) -> Match {
    let mut orders: Vec<Order> = Vec::new();
    for order in named.into_iter().flat_map(|named| named.orders) {
        if orders.iter().all(|known| known.id() != order.id()) {
            orders.push(order);
        }
    }
    prefer(&mut orders, Order::is_registered);
    if !orders.iter().any(Order::is_registered) {
        // Banks write dates and account numbers into memos, and strangers can begin orders with such numbers as ids. An
        // order whose id has a letter therefore wins.
        prefer(&mut orders, |order| {
            order.id().bytes().any(|byte| byte.is_ascii_alphabetic())
        });
    }
    prefer(&mut orders, |order| order.status() != Status::Paid);
    match (orders.pop(), orders.pop()) {
        (None, _) => Match::None,
        (Some(order), None) => Match::One(Box::new(order)),
        (Some(_), Some(_)) => Match::Several,
    }
}

/// Keeps only the orders for which `is_better` returns true. If there are none, keeps all orders.
fn prefer(orders: &mut Vec<Order>, is_better: impl Fn(&Order) -> bool) {
    if orders.iter().any(&is_better) {
        orders.retain(is_better);
    }
}

/// Returns whether this text is unlikely to be a common word. If common words counted, a stranger could begin orders
/// whose ids are the words that banks write, and every transfer would name two orders.
fn could_be_meant(candidate: &Candidate) -> bool {
    match candidate.strength {
        Strength::Code | Strength::ContentPattern | Strength::DescriptionPattern => true,
        Strength::Content | Strength::Description => {
            let text = &candidate.text;
            text.len() >= ANYWHERE && text.bytes().any(|byte| byte.is_ascii_digit())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use duet_events::order::Order as Registration;
    use serde_json::{json, value::RawValue};

    use super::*;
    use crate::money::{Currency, Money};
    use crate::payments::memo::normalised;

    fn begun(id: &str) -> Order {
        Order::begin(id, 0)
    }

    fn registered(id: &str) -> Order {
        let mut order = begun(id);
        let text = json!({ "order_id": id, "amount": 99_000, "currency": "VND" }).to_string();
        let raw = RawValue::from_string(text).unwrap();
        let registration = Registration::read(&raw, None).unwrap();
        order.register(&registration, 0).unwrap();
        order
    }

    /// Returns an order that only a page began, after its first payment.
    fn first_paid(id: &str) -> Order {
        let mut order = begun(id);
        order.receive(Money::of_minor(99_000, Currency::VND).unwrap(), 0);
        order
    }

    fn paid(id: &str) -> Order {
        let mut order = registered(id);
        order.receive(Money::of_minor(99_000, Currency::VND).unwrap(), 0);
        order
    }

    /// Returns the id of the known order that a memo names.
    fn meant(content: &str, code: Option<&str>, known: impl Fn() -> Vec<Order>) -> String {
        meant_by(content, code, None, known)
    }

    fn meant_by(
        content: &str,
        code: Option<&str>,
        pattern: Option<&OrderPattern>,
        known: impl Fn() -> Vec<Order>,
    ) -> String {
        let memo = Memo {
            code: code.map(str::to_owned),
            content: content.to_owned(),
            description: String::new(),
        };
        let found = matched(&memo, pattern, |text| {
            let mut orders = known();
            orders.retain(|order| normalised(order.id()) == text);
            Ok::<_, Infallible>(orders)
        });
        match found.unwrap() {
            Match::One(order) => order.id().to_owned(),
            Match::None => "none".to_owned(),
            Match::Several => "several".to_owned(),
        }
    }

    #[test]
    fn exactly_one_order_is_meant() {
        let known = || {
            vec![
                registered("PHO7K3M9Q2X"),
                begun("PHO-8888-8888"),
                paid("OLD1234567"),
            ]
        };
        for (content, expected) in [
            ("PHO7K3M9Q2X chuyen tien", "PHO7K3M9Q2X"),
            ("ct pho88888888 ft1", "PHO-8888-8888"),
            ("PHO7K3M9Q2", "none"),
            ("PHO7K3M9Q2X OLD1234567", "PHO7K3M9Q2X"),
            ("OLD1234567", "OLD1234567"),
            ("cam on", "none"),
        ] {
            assert_eq!(meant(content, None, known), expected, "{content}");
        }
    }

    #[test]
    fn the_providers_own_code_decides() {
        let known = || vec![registered("PHO7K3M9Q2X"), registered("OTHER12345")];
        let both = "PHO7K3M9Q2X OTHER12345";
        assert_eq!(meant(both, None, known), "several");
        assert_eq!(meant(both, Some("OTHER12345"), known), "OTHER12345");
        assert_eq!(meant("OTHER12345", Some("UNKNOWN"), known), "OTHER12345");
    }

    #[test]
    fn a_piece_of_a_longer_id_is_not_meant() {
        let known = || vec![registered("PHO7K3M9Q2X"), registered("PHO7K3M9Q2X77")];
        assert_eq!(meant("x PHO7K3M9Q2X77 y", None, known), "PHO7K3M9Q2X77");
    }

    #[test]
    fn nobody_stands_in_the_way_of_a_payment_by_beginning_orders() {
        let strangers = ["CHUYEN", "chuyen tien", "TIEN", "0123499999"].map(begun);
        let with = |order: fn(&str) -> Order| {
            let strangers = &strangers;
            move || {
                let again = strangers.iter().map(|order| begun(order.id()));
                again.chain([order("PHO7K3M9Q2X")]).collect()
            }
        };
        let words = "PHO7K3M9Q2X chuyen tien";
        assert_eq!(meant(words, None, with(begun)), "PHO7K3M9Q2X");
        let account = "PHO7K3M9Q2X chuyen tien toi 0123499999";
        assert_eq!(meant(account, None, with(registered)), "PHO7K3M9Q2X");
        assert_eq!(meant("chuyen tien", None, with(begun)), "none");
    }

    const PLAIN: &str = "PHO7K3M9Q2X";
    const ALIKE: &str = "pho-7k3m9q2x";
    const WHOLE: &str = "PHO_SUB_1762228747088_NTK3U9";
    const BARE: &str = "PHO-SUB-1762228747088-NTK3U9";

    #[test]
    fn of_orders_that_read_alike_a_registered_one_wins_and_then_the_exact_spelling() {
        type Make = fn(&str) -> Order;
        type Known = [(Make, &'static str); 2];
        let (begun, registered, paid): (Make, Make, Make) = (begun, registered, paid);
        let rows: [(&str, Option<&str>, Known, &str); 14] = [
            // If both orders are registered, or neither is, the memo's spelling decides.
            (
                "ct PHO7K3M9Q2X ft",
                None,
                [(begun, PLAIN), (begun, ALIKE)],
                PLAIN,
            ),
            (
                "ct pho-7k3m9q2x ft",
                None,
                [(begun, PLAIN), (begun, ALIKE)],
                ALIKE,
            ),
            (
                "ct PHO7K3M9Q2X ft",
                None,
                [(registered, ALIKE), (registered, PLAIN)],
                PLAIN,
            ),
            (
                "ct pho-7k3m9q2x ft",
                None,
                [(registered, ALIKE), (registered, PLAIN)],
                ALIKE,
            ),
            ("", Some(PLAIN), [(begun, PLAIN), (begun, ALIKE)], PLAIN),
            ("", Some(ALIKE), [(begun, PLAIN), (begun, ALIKE)], ALIKE),
            // The memo spells neither of the two ids exactly, so the result is ambiguous.
            (
                "ct PHO 7K3M 9Q2X ft",
                None,
                [(begun, PLAIN), (begun, ALIKE)],
                "several",
            ),
            (
                "ct PHO 7K3M 9Q2X ft",
                None,
                [(registered, PLAIN), (registered, ALIKE)],
                "several",
            ),
            // A registered order wins, even if the bank changed the spelling.
            (
                "ct PHO7K3M9Q2X ft",
                None,
                [(begun, PLAIN), (registered, ALIKE)],
                ALIKE,
            ),
            (
                "ct PHO7K3M9Q2X ft",
                None,
                [(registered, ALIKE), (begun, PLAIN)],
                ALIKE,
            ),
            (
                "",
                Some(PLAIN),
                [(begun, PLAIN), (registered, ALIKE)],
                ALIKE,
            ),
            // A registered order that is already paid wins too. This money must then be paid back.
            (
                "ct PHO7K3M9Q2X ft",
                None,
                [(begun, PLAIN), (paid, ALIKE)],
                ALIKE,
            ),
            (
                "ct PHO7K3M9Q2X ft",
                None,
                [(paid, PLAIN), (begun, ALIKE)],
                PLAIN,
            ),
            // If the memo fits both registered orders equally, the unpaid order wins.
            (
                "ct PHO 7K3M 9Q2X ft",
                None,
                [(paid, PLAIN), (registered, ALIKE)],
                ALIKE,
            ),
        ];
        for (content, code, known, expected) in rows {
            let orders = || known.map(|(make, id)| make(id)).into();
            let found = meant(content, code, orders);
            assert_eq!(
                found,
                expected,
                "{content} {code:?} {known:?}",
                known = known.map(|known| known.1)
            );
        }
    }

    #[test]
    fn the_shops_template_spells_an_order_exactly() {
        let pattern = OrderPattern::new("([0-9]{13})([0-9A-Z]{6})", "PHO_SUB_$1_$2").unwrap();
        let torn = "phohat RUCSIA1762228747088NTK3U9 FT25308";
        for (content, known, expected) in [
            (torn, [begun(WHOLE), begun(BARE)], WHOLE),
            (torn, [begun(BARE), begun(WHOLE)], WHOLE),
            (torn, [registered(BARE), begun(WHOLE)], BARE),
            (torn, [registered(BARE), registered(WHOLE)], WHOLE),
            // The pattern finds nothing in this memo, so the memo is searched without the pattern.
            ("ct PHO7K3M9Q2X", [begun(PLAIN), begun(WHOLE)], PLAIN),
        ] {
            let known = || {
                let again = |order: &Order| {
                    let make = if order.is_registered() {
                        registered
                    } else {
                        begun
                    };
                    make(order.id())
                };
                known.iter().map(again).collect()
            };
            assert_eq!(
                meant_by(content, None, Some(&pattern), known),
                expected,
                "{content}"
            );
        }
    }

    #[test]
    fn a_longer_order_that_a_page_began_does_not_swallow_a_registered_one() {
        let glued = "PHO7K3M9Q2XCHUYENTIEN1";
        let memo = "PHO7K3M9Q2X chuyen tien 1";
        assert_eq!(
            meant(memo, None, || vec![registered(PLAIN), begun(glued)]),
            PLAIN
        );
        assert_eq!(
            meant(memo, None, || vec![registered(PLAIN), registered(glued)]),
            glued
        );
        assert_eq!(
            meant(memo, None, || vec![begun(PLAIN), registered(glued)]),
            glued
        );
    }

    #[test]
    fn a_longer_order_that_was_begun_later_does_not_swallow_an_earlier_one() {
        let glued = "PHO7K3M9Q2XCHUYENTIEN";
        let memo = "PHO7K3M9Q2X chuyen tien";
        for (plain_ms, glued_ms, expected) in [(1, 2, PLAIN), (2, 1, glued), (1, 1, glued)] {
            let known = || vec![Order::begin(PLAIN, plain_ms), Order::begin(glued, glued_ms)];
            assert_eq!(meant(memo, None, known), expected, "{plain_ms} {glued_ms}");
        }
    }

    #[test]
    fn letters_of_somebodys_id_make_no_order_of_its_own() {
        for (memo, victim, strangers, expected) in [
            // Ids that have the shop's prefix and the first digits of the time, and ids that count up.
            (
                "PHO_SUB_1762228747088_NTK3U9 chuyen tien",
                WHOLE,
                "PHO_SUB_17",
                WHOLE,
            ),
            ("PHOSUB1762228747088NTK3U9", WHOLE, "17622287", WHOLE),
            (
                "SHOP10010 chuyen tien",
                "SHOP10010",
                "SHOP1001",
                "SHOP10010",
            ),
            // Ids that have the last letter of another order's id, and the words that banks write after it.
            (
                "PHO7K3M9Q29 chuyen tien",
                "PHO7K3M9Q29",
                "9CHUYENTIEN",
                "PHO7K3M9Q29",
            ),
            (
                "ND PHO7K3M9Q29 FT1",
                "PHO7K3M9Q29",
                "ND PHO7K3M9",
                "PHO7K3M9Q29",
            ),
        ] {
            let known = || vec![Order::begin(victim, 2), Order::begin(strangers, 1)];
            assert_eq!(meant(memo, None, known), expected, "{memo}");
        }
    }

    #[test]
    fn a_registered_order_wins_also_where_the_memo_is_less_certain_of_it() {
        let memo = Memo {
            code: None,
            content: "chuyen tien toi TK VCB0123499999".to_owned(),
            description: "BankAPINotify PHO7K3M9Q2X".to_owned(),
        };
        let known = || vec![begun("VCB0123499999"), registered(PLAIN)];
        let found = matched(&memo, None, |text| {
            let mut orders = known();
            orders.retain(|order| normalised(order.id()) == text);
            Ok::<_, Infallible>(orders)
        });
        let Match::One(order) = found.unwrap() else {
            panic!("none or several");
        };
        assert_eq!(order.id(), PLAIN);
    }

    #[test]
    fn an_order_named_after_a_date_or_an_account_gives_way() {
        for number in ["20260325", "0123499999", "84901234567"] {
            let memo = format!("PHO7K3M9Q2X {number}");
            assert_eq!(
                meant(&memo, None, || vec![begun(PLAIN), begun(number)]),
                PLAIN
            );
            assert_eq!(
                meant(&memo, None, || vec![paid(PLAIN), begun(number)]),
                PLAIN
            );
            let paid = || vec![first_paid(PLAIN), begun(number)];
            assert_eq!(meant(&memo, None, paid), PLAIN);
            // A shop can use such numbers as ids of its own orders.
            assert_eq!(meant(&memo, None, || vec![begun(number)]), number);
        }
        let two = || vec![registered("1762228747088"), registered(PLAIN)];
        assert_eq!(meant("PHO7K3M9Q2X 1762228747088", None, two), "several");
    }
}
