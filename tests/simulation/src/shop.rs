//! What a shop's week holds: orders, who pays them and how, and what strangers try.

use duet_events::order::Order as Registration;
use duet_proxy::{
    decide::{Destination, Receipt},
    payments::{OrderHint, Transfer, memo::Memo},
};
use fastrand::Rng;
use serde_json::{json, value::RawValue};
use std::sync::Arc;

use crate::plan::{HOUR_MS, MINUTE_MS};

const LETTERS: &[u8] = b"ABCDEFGHJKMNPQRSTVWXYZ";
const SIGNS: &[u8] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789";

/// One order, and what is known of it for certain.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ShopOrder {
    /// Its id, which nobody can guess.
    pub id: String,
    /// What is to be paid, in dong.
    pub amount: i64,
    /// Who ordered.
    pub browser: usize,
    /// The visitor's click.
    pub click: String,
    /// Whether the shop's server registers it.
    pub registers: bool,
    /// Whether it has been told that it is registered.
    pub is_registered: bool,
    /// Whether an event of its page that begins it was answered.
    pub is_begun: bool,
    /// Whether an operator has withdrawn it.
    pub is_withdrawn: bool,
    /// Its transfers.
    pub transfers: Vec<usize>,
}

/// One transfer.
pub struct Paying {
    /// The order it names.
    pub order: usize,
    /// In dong.
    pub amount: i64,
    /// Its number at the bank.
    pub id: String,
    /// What the payer wrote, after the bank was done with it.
    pub memo: String,
    /// How often the bank has told of it.
    pub told: u32,
    /// Whether its order was registered, or begun, before the bank first told of it.
    pub was_known: bool,
    /// Whether an event of its page was answered before that.
    pub was_begun: bool,
    /// Whether the proxy has answered.
    pub is_answered: bool,
}

impl ShopOrder {
    /// An order of a visitor.
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
            browser,
            click,
            registers: rng.u8(..10) < 7,
            is_registered: false,
            is_begun: false,
            is_withdrawn: false,
            transfers: Vec::new(),
        }
    }

    /// Whether an event with its click was answered before the first transfer came.
    pub fn is_begun_before_payment(&self, world: &crate::world::World) -> bool {
        let first = self
            .transfers
            .first()
            .and_then(|paying| world.payings.get(*paying));
        self.is_begun && first.is_some_and(|paying| paying.was_begun)
    }

    /// What the shop's server says of it.
    pub fn registration(&self) -> Option<Registration> {
        let mut order = json!({ "order_id": self.id, "amount": self.amount, "currency": "VND" });
        if self.id.ends_with(['2', '4', '6', '8']) {
            order["plan_id"] = "pro".into();
        }
        let raw = RawValue::from_string(order.to_string()).ok()?;
        Registration::read(&raw, None).ok()
    }

    /// When it is paid, from the order on, and with how much each time.
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

    /// What the payer writes, and what banks make of it.
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

impl Paying {
    /// The transfer as the proxy reads it from the bank's message.
    pub fn receipt(&self, destination: &Arc<Destination>) -> Receipt {
        Receipt {
            transfer: Transfer {
                provider: "sepay",
                id: self.id.clone(),
                amount: self.amount,
                account: None,
                reference: None,
                hint: OrderHint::Memo(Memo {
                    code: None,
                    content: self.memo.clone(),
                    description: String::new(),
                }),
            },
            parked: None,
            pattern: None,
            destination: Arc::clone(destination),
        }
    }
}
