//! Which order a transfer pays: exactly one that is not paid, or none.

use super::memo::{ANYWHERE, Candidate, Strength};
use crate::orders::{Order, Status};

/// What the orders that are known make of a memo.
#[derive(Debug)]
pub enum Match {
    /// This one is meant.
    One(Box<Order>),
    /// None of them is named.
    None,
    /// Several that are not paid are named.
    Several,
}

/// Asks `orders_that_read` for each candidate, the most certain first, and stops at the first certainty at which any
/// order is named. A piece of a longer id that is known does not count. Where one order is named that the shop's server
/// registered, those that only pages began do not stand in its way: anybody can begin one.
///
/// # Errors
/// Those of `orders_that_read`.
pub fn matched<E>(
    candidates: impl Iterator<Item = Candidate>,
    mut orders_that_read: impl FnMut(&str) -> Result<Vec<Order>, E>,
) -> Result<Match, E> {
    let mut named: Vec<Candidate> = Vec::new();
    let mut orders: Vec<Order> = Vec::new();
    for candidate in candidates {
        if let Some(first) = named.first()
            && first.strength != candidate.strength
        {
            break;
        }
        if named.iter().any(|longer| candidate.lies_inside(longer)) {
            continue;
        }
        let mut found = orders_that_read(&candidate.text)?;
        found.retain(|order| order.is_registered() || could_be_meant(&candidate));
        if found.is_empty() {
            continue;
        }
        named.push(candidate);
        for order in found {
            if orders.iter().all(|known| known.id() != order.id()) {
                orders.push(order);
            }
        }
    }
    let (mut open, mut paid): (Vec<_>, Vec<_>) = orders
        .into_iter()
        .partition(|order| order.status() != Status::Paid);
    if open.iter().any(Order::is_registered) {
        open.retain(Order::is_registered);
    }
    Ok(match (open.len(), paid.len()) {
        (1, _) => one(open.pop()),
        (0, 1) => one(paid.pop()),
        (0, 0) => Match::None,
        _ => Match::Several,
    })
}

fn one(order: Option<Order>) -> Match {
    order.map_or(Match::None, |order| Match::One(Box::new(order)))
}

/// Whether this text is no common word. Somebody who begins orders named after words that banks write could
/// otherwise have every transfer name two orders.
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
    use crate::payments::memo::{Memo, normalised};

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

    fn paid(id: &str) -> Order {
        let mut order = registered(id);
        order.receive(99_000, 0);
        order
    }

    /// The order that a memo means among those that are known.
    fn meant(content: &str, code: Option<&str>, known: impl Fn() -> Vec<Order>) -> String {
        let memo = Memo {
            code: code.map(str::to_owned),
            content: content.to_owned(),
            description: String::new(),
        };
        let found = matched(memo.candidates(None), |text| {
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
}
