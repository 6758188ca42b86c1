//! The content of a shop's week: orders, payments and attacks.

use duet_events::{EventName, order::Order as Registration};
use duet_proxy::{
    decide::{Became, Destinations, Receipt},
    money::{Currency, Kind, Money},
    payments::{Name, OrderHint, Transfer, memo::Memo},
};
use fastrand::Rng;
use serde_json::{json, value::RawValue};
use std::collections::BTreeSet;

use crate::plan::{HOUR_MS, MINUTE_MS};

const LETTERS: &[u8] = b"ABCDEFGHJKMNPQRSTVWXYZ";
const SIGNS: &[u8] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789";

/// One order, and the known facts about it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ShopOrder {
    /// The order's id, which nobody can guess.
    pub id: String,
    /// The amount to pay, in dong; for card payments in cents.
    pub amount: i64,
    /// How the card provider names the order; `None` for bank transfers.
    pub card: Option<Card>,
    /// The browser of the customer.
    pub browser: usize,
    /// The visitor's click.
    pub click: String,
    /// Whether the shop's server registers it.
    pub registers: bool,
    /// Whether the server got the answer that the order is registered.
    pub is_registered: bool,
    /// Whether an event that starts the order was answered.
    pub is_begun: bool,
    /// The pixels for which such an event was answered.
    pub begun_at: BTreeSet<String>,
    /// The pixels that its registration names.
    pub pixel_ids: Vec<String>,
    /// Whether an operator has withdrawn it.
    pub is_withdrawn: bool,
    /// Its transfers.
    pub transfers: Vec<usize>,
    /// Later card payments and refunds.
    pub others: Vec<usize>,
}

/// How the provider of a card payment names the order. The provider knows the paid amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Card {
    /// By the order's id.
    Id,
    /// By the provider's own id, which the shop's server registers.
    Reference(String),
}

/// One transfer.
pub struct Paying {
    /// The order in the payment.
    pub order: usize,
    /// The amount in dong, or in cents.
    pub amount: i64,
    /// The purpose of the payment.
    pub kind: Kind,
    /// How its provider names the order; `None` for a bank transfer.
    pub card: Option<Card>,
    /// The payment's number at the bank.
    pub id: String,
    /// Other ids of the same payment in notifications.
    pub also: Vec<String>,
    /// The refunded payment, if the refund names it.
    pub of: Option<String>,
    /// The payer's text after the bank's changes.
    pub memo: String,
    /// The number of notifications from the bank.
    pub told: u32,
    /// Whether its order was registered or started before the bank's first notification.
    pub was_known: bool,
    /// Whether an event of its page was answered before the first notification.
    pub was_begun: bool,
    /// The pixels for which an event of its page was answered before the first notification.
    pub was_begun_at: BTreeSet<String>,
    /// Whether the proxy has answered.
    pub is_answered: bool,
    /// The proxy's first result for the payment, and its time.
    pub became: Option<(Became, i64)>,
}

impl ShopOrder {
    /// Makes an order of a visitor.
    pub fn new(browser: usize, click: String, rng: &mut Rng) -> Self {
        let sign = |signs: &[u8], rng: &mut Rng| char::from(signs[rng.usize(..signs.len())]);
        let mut id = String::from("PHO");
        id.push(sign(LETTERS, rng));
        for _ in 0..8 {
            id.push(sign(SIGNS, rng));
        }
        id.push(char::from(b'2' + rng.u8(..8)));
        Self {
            id,
            amount: 1_000 * rng.i64(50..500),
            card: match rng.u8(..10) {
                0..=1 => Some(Card::Id),
                2 => Some(Card::Reference(rng.u32(..).to_string())),
                _ => None,
            },
            browser,
            click,
            registers: rng.u8(..10) < 7,
            is_registered: false,
            is_begun: false,
            begun_at: BTreeSet::new(),
            pixel_ids: Vec::new(),
            is_withdrawn: false,
            transfers: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Returns an amount in the order's currency.
    pub fn money(&self, amount: i64) -> Money {
        match &self.card {
            Some(_) => dollars(amount),
            None => dong(amount),
        }
    }

    /// Returns whether an event with its click was answered before the first transfer came.
    pub fn is_begun_before_payment(&self, world: &crate::world::World) -> bool {
        let first = self
            .transfers
            .first()
            .and_then(|paying| world.payings.get(*paying));
        self.is_begun && first.is_some_and(|paying| paying.was_begun)
    }

    /// Returns whether this pixel must have its sale: an event that starts the order there was answered before the first
    /// transfer came.
    pub fn is_due_at(&self, pixel: &str, world: &crate::world::World) -> bool {
        let first = self
            .transfers
            .first()
            .and_then(|paying| world.payings.get(*paying));
        first.is_some_and(|paying| paying.was_begun_at.contains(pixel))
    }

    /// Returns the registration from the shop's server.
    pub fn registration(&self) -> Option<Registration> {
        let money = self.money(self.amount);
        let amount: Box<RawValue> = money.json()?;
        let currency = money.currency().as_str();
        let mut order = json!({ "order_id": self.id, "currency": currency });
        if let Some(Card::Reference(code)) = &self.card {
            order["references"] = json!({ "card": code });
        }
        if self.id.ends_with(['2', '4', '6', '8']) {
            order["plan_id"] = "pro".into();
        }
        if !self.pixel_ids.is_empty() {
            order["pixel_ids"] = self.pixel_ids.clone().into();
        }
        let rest = order.to_string();
        let text = format!(r#"{{"amount":{amount},{}"#, rest.strip_prefix('{')?);
        let raw = RawValue::from_string(text).ok()?;
        Registration::read(&raw, None).ok()
    }

    /// Returns the times of payments after the order, and their amounts.
    pub fn payments(&self, rng: &mut Rng) -> Vec<(i64, i64)> {
        let soon = |rng: &mut Rng| rng.i64(MINUTE_MS..40 * MINUTE_MS);
        match rng.u8(..20) {
            0..=9 => vec![(soon(rng), self.amount)],
            10..=12 => {
                let part = self.amount / 2;
                let first = soon(rng);
                let second = first + rng.i64(MINUTE_MS..20 * HOUR_MS);
                vec![(first, part), (second, self.amount - part)]
            }
            13..=14 => vec![(soon(rng), self.amount + 5_000)],
            15..=16 => vec![(rng.i64(60 * HOUR_MS..100 * HOUR_MS), self.amount)],
            17 => {
                let first = soon(rng);
                vec![(first, self.amount), (first + soon(rng), self.amount)]
            }
            _ => Vec::new(),
        }
    }

    /// Returns the payer's text with the bank's changes.
    pub fn memo(&self, rng: &mut Rng) -> String {
        let id = match rng.u8(..4) {
            0 => self.id.to_lowercase(),
            1 => format!("{} {}", &self.id[..5], &self.id[5..]),
            _ => self.id.clone(),
        };
        match rng.u8(..3) {
            0 => format!("{id} chuyen tien"),
            1 => format!("ND CT tu 0123499999 {id} FT25308710231543"),
            _ => id,
        }
    }
}

/// Returns an amount in US cents.
fn dollars(cents: i64) -> Money {
    let currency = Currency::parse("USD").unwrap_or(Currency::VND);
    Money::of_minor(cents, currency).unwrap_or(Money::zero(currency))
}

/// Returns an amount in dong.
pub fn dong(amount: i64) -> Money {
    Money::of_minor(amount, Currency::VND).unwrap_or(Money::zero(Currency::VND))
}

impl Paying {
    /// Returns the card payment as the proxy reads it from the provider's message.
    fn by_card(&self, card: &Card, order_id: &str) -> Transfer {
        let provider = || "card".to_owned();
        let name = match (&self.of, card) {
            (Some(id), _) => Name::Transfer {
                provider: provider(),
                id: id.clone(),
            },
            (None, Card::Id) => Name::Order(order_id.to_owned()),
            (None, Card::Reference(code)) => Name::Reference {
                provider: provider(),
                code: code.clone(),
            },
        };
        let hint = OrderHint::Exact(vec![name]);
        Transfer {
            also: self.also.clone(),
            kind: self.kind,
            knows: true,
            ..Transfer::new("card", self.id.clone(), dollars(self.amount), hint)
        }
    }

    /// Returns the transfer as the proxy reads it from the bank's message.
    pub fn receipt(
        &self,
        order_id: &str,
        renewals: Option<EventName>,
        destinations: &Destinations,
    ) -> Receipt {
        if let Some(card) = &self.card {
            return Receipt {
                transfer: self.by_card(card, order_id),
                parked: None,
                pattern: None,
                renewals,
                destinations: destinations.clone(),
            };
        }
        Receipt {
            transfer: Transfer::new(
                "sepay",
                self.id.clone(),
                dong(self.amount),
                OrderHint::Memo(Memo {
                    code: None,
                    content: self.memo.clone(),
                    description: String::new(),
                }),
            ),
            parked: None,
            pattern: None,
            renewals: None,
            destinations: destinations.clone(),
        }
    }
}
