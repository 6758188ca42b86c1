//! What happens in a shop's week: orders, payments and attacks.

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

/// One order, and what has happened to it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field is a separate fact"
)]
pub struct ShopOrder {
    /// The order's id, which nobody can guess.
    pub id: String,
    /// The amount to pay: in cents for card payments, otherwise in dong.
    pub amount: i64,
    /// How the card provider names the order. `None` if the order is paid by bank transfer.
    pub card: Option<Card>,
    /// The number of the customer's browser.
    pub browser: usize,
    /// The click id of the customer.
    pub click: String,
    /// Whether the shop's server registers the order.
    pub registers: bool,
    /// Whether the server got the answer that the order is registered.
    pub is_registered: bool,
    /// Whether the proxy has answered an event that begins the order.
    pub is_begun: bool,
    /// The pixels for which the proxy has answered such an event.
    pub begun_at: BTreeSet<String>,
    /// The pixels that the registration names.
    pub pixel_ids: Vec<String>,
    /// Whether an operator withdraws the order.
    pub is_withdrawn: bool,
    /// The order's payments, as positions in the world's list of payments. Renewals and refunds are left out.
    pub transfers: Vec<usize>,
    /// The order's renewals and refunds, as positions in the same list.
    pub others: Vec<usize>,
}

/// How the provider of a card payment names the order. Such a provider itself knows that the paid amount is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Card {
    /// By the order's id.
    Id,
    /// By the provider's own id, which the shop's server registers.
    Reference(String),
}

/// One payment or refund, by bank transfer or by card.
pub struct Paying {
    /// The number of the order.
    pub order: usize,
    /// The amount, in cents for card payments, otherwise in dong.
    pub amount: i64,
    /// Whether the money is a sale, a renewal or a refund.
    pub kind: Kind,
    /// How the card provider names the order. `None` for a bank transfer.
    pub card: Option<Card>,
    /// The id of the payment at the bank or the provider.
    pub id: String,
    /// Other ids that notifications of the same payment have.
    pub also: Vec<String>,
    /// The id of the refunded payment, if the refund names a payment.
    pub of: Option<String>,
    /// The payer's text, as the bank has changed it.
    pub memo: String,
    /// How often the bank has sent a notification of the payment.
    pub told: u32,
    /// Whether the order was registered or begun before the first notification of this payment.
    pub was_known: bool,
    /// Whether the proxy had answered an event that begins the order before the first notification.
    pub was_begun: bool,
    /// The pixels for which the proxy had answered such an event before the first notification.
    pub was_begun_at: BTreeSet<String>,
    /// Whether the bank has got an answer.
    pub is_answered: bool,
    /// The first result that the proxy stated for the payment, and the time.
    pub became: Option<(Became, i64)>,
}

impl ShopOrder {
    /// Makes an order of a visitor. The seed decides how the order is paid.
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

    /// Returns whether the proxy had answered an event with the order's click before the first transfer came.
    pub fn is_begun_before_payment(&self, world: &crate::world::World) -> bool {
        let first = self
            .transfers
            .first()
            .and_then(|paying| world.payings.get(*paying));
        self.is_begun && first.is_some_and(|paying| paying.was_begun)
    }

    /// Returns whether this pixel must get the order's sale. This is so if the proxy had answered an event that begins the
    /// order at this pixel before the first transfer came.
    pub fn is_due_at(&self, pixel: &str, world: &crate::world::World) -> bool {
        let first = self
            .transfers
            .first()
            .and_then(|paying| world.payings.get(*paying));
        first.is_some_and(|paying| paying.was_begun_at.contains(pixel))
    }

    /// Returns the registration that the shop's server sends.
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

    /// Returns the order's payments: how long after the order each payment comes, and its amount.
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

    /// Returns the payer's text as the bank changes it.
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
    /// Returns the card payment as the proxy would read it from the provider's notification.
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

    /// Returns the payment as the proxy would read it from a notification.
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
