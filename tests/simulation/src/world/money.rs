//! Orders, the shop's server, and the bank.

use duet_events::EventName;
use duet_proxy::money::Kind;

use super::{DAY_MS, HOUR_MS, MINUTE_MS, Paying, ShopOrder, What, Who, World};

impl World {
    pub(super) fn order(&mut self, browser: usize) {
        let click = self.browsers[browser].click.clone();
        let mut order = ShopOrder::new(browser, click, &mut self.rng);
        if self.plan.pixels > 1 && order.id.ends_with(['3', '4', '5']) {
            order.pixel_ids.extend(self.pixels().pop());
        }
        let payments = match order.card {
            Some(_) => Vec::new(),
            None => order.payments(&mut self.rng),
        };
        let id = order.id.clone();
        self.tell(|| format!("browser {browser} orders {id}, to be paid: {payments:?}"));
        self.orders.push(order);
        let number = self.orders.len() - 1;
        let page = self.open(browser);
        self.track(browser, page, "InitiateCheckout", Some(&id));
        if self.orders[number].registers {
            // If the payment is by card, the shop's server may register the order long after the payment.
            let is_late = self.orders[number].card.is_some() && self.rng.bool();
            let most_ms = if is_late { 3 * DAY_MS } else { 5_000 };
            let ms = self.rng.i64(0..most_ms);
            self.after(ms, What::Registers(number));
        }
        for (ms, amount) in payments {
            let memo = self.orders[number].memo(&mut self.rng);
            let paying = self.pays(number, Kind::First, amount, ms);
            self.payings[paying].memo = memo;
        }
        if self.orders[number].card.is_some() {
            self.pays_by_card(number);
        }
        let stays_ms = self.rng.i64(10_000..HOUR_MS);
        if self.rng.u8(..10) < 7 {
            let ms = self.rng.i64(5_000..2 * HOUR_MS);
            self.after(
                ms,
                What::Thanks {
                    order: number,
                    page,
                },
            );
            self.after(ms + stays_ms, What::Leave { browser, page });
        } else {
            self.after(stays_ms, What::Leave { browser, page });
        }
        if self.rng.u8(..30) == 0 {
            self.orders[number].is_withdrawn = true;
            let ms = self.rng.i64(0..DAY_MS);
            self.after(ms, What::Operator);
        }
    }

    /// Makes a payment of an order. After `after_ms` milliseconds, the bank sends the first notification. Returns the
    /// payment's number.
    fn pays(&mut self, order: usize, kind: Kind, amount: i64, after_ms: i64) -> usize {
        let paying = self.payings.len();
        self.payings.push(Paying {
            order,
            amount,
            kind,
            card: self.orders[order].card.clone(),
            id: format!("T{paying}"),
            also: Vec::new(),
            of: None,
            memo: String::new(),
            told: 0,
            was_known: false,
            was_begun: false,
            was_begun_at: std::collections::BTreeSet::default(),
            is_answered: false,
            became: None,
        });
        let of_order = match kind {
            Kind::First => &mut self.orders[order].transfers,
            _ => &mut self.orders[order].others,
        };
        of_order.push(paying);
        self.after(after_ms, What::BankTells(paying));
        paying
    }

    /// Pays an order by card. The notifications come in any order, and have one id or two. There may be a renewal and a
    /// refund, and the refund's notification may come first.
    fn pays_by_card(&mut self, order: usize) {
        let amount = self.orders[order].amount;
        let paid_ms = self.rng.i64(MINUTE_MS..2 * HOUR_MS);
        let session = self.pays(order, Kind::First, amount, paid_ms);
        if self.rng.bool() {
            let ms = (paid_ms + self.rng.i64(-MINUTE_MS..MINUTE_MS)).max(0);
            let invoice = self.pays(order, Kind::First, amount, ms);
            let id = self.payings[invoice].id.clone();
            self.payings[session].also.push(id);
        }
        if self.rng.u8(..3) == 0 {
            let ms = paid_ms + self.rng.i64(DAY_MS..2 * DAY_MS);
            self.pays(order, Kind::Renewal, amount, ms);
        }
        if self.rng.u8(..2) == 0 {
            let kinds = [Kind::Refund, Kind::Chargeback, Kind::Void];
            let kind = kinds[self.rng.usize(..3)];
            let amount = [amount / 2, amount, amount][self.rng.usize(..3)];
            let soon = self.rng.i64(-HOUR_MS..HOUR_MS);
            let late = self.rng.i64(0..2 * DAY_MS);
            let ms = paid_ms + if self.rng.bool() { soon } else { late };
            let back = self.pays(order, kind, amount, ms.max(0));
            self.payings[back].of = self.rng.bool().then(|| self.payings[session].id.clone());
        }
    }

    pub(super) fn thanks(&mut self, order: usize, page: usize) {
        let (browser, id) = (self.orders[order].browser, self.orders[order].id.clone());
        if !self.browsers[browser].is_open(page) {
            return;
        }
        let names = ["CompletePayment", "Subscribe"];
        let count = self.rng.usize(1..3);
        for name in &names[..count] {
            self.track(browser, page, name, Some(&id));
        }
    }

    pub(super) fn registers(&mut self, order: usize) {
        if self.is_lost() {
            return self.gives_up(Who::Shop(order));
        }
        let Some(registration) = self.orders[order].registration() else {
            return;
        };
        let renewals = self.renewals();
        let Some(process) = self.any_process() else {
            return self.gives_up(Who::Shop(order));
        };
        if let Some(answer) = process.register(Who::Shop(order), registration, renewals) {
            self.answer(Who::Shop(order), answer);
        }
        self.turn_soon();
    }

    /// Returns the name of the event that reports a renewal, if the shop wants renewals to be reported.
    fn renewals(&self) -> Option<EventName> {
        let name = self.plan.reports_renewals.then_some("Subscribe")?;
        EventName::parse(name).ok()
    }

    pub(super) fn bank_tells(&mut self, paying: usize) {
        if self.payings[paying].is_answered && self.payings[paying].told > 3 {
            return;
        }
        let order = &self.orders[self.payings[paying].order];
        let is_known = order.is_registered || order.is_begun && !order.registers;
        let (is_begun, begun_at) = (order.is_begun, order.begun_at.clone());
        let told = &mut self.payings[paying].told;
        *told += 1;
        if *told == 1 {
            self.payings[paying].was_known = is_known;
            self.payings[paying].was_begun = is_begun;
            self.payings[paying].was_begun_at = begun_at;
        }
        let order_id = self.orders[self.payings[paying].order].id.clone();
        let renewals = self.renewals();
        let receipt = self.payings[paying].receipt(&order_id, renewals, &self.destinations);
        let memo = self.payings[paying].memo.clone();
        self.tell(|| format!("the bank notifies the shop of transfer {paying}: {memo}"));
        if self.is_lost() {
            return self.gives_up(Who::Bank(paying));
        }
        let Some(process) = self.any_process() else {
            return self.gives_up(Who::Bank(paying));
        };
        if let Some(answer) = process.pay(Who::Bank(paying), receipt) {
            self.answer(Who::Bank(paying), answer);
        }
        // The bank may send another notification, even if it got an answer to the first.
        if self.rng.u8(..5) == 0 && self.payings[paying].told < 3 {
            let ms = self.rng.i64(0..HOUR_MS);
            self.after(ms, What::BankTells(paying));
        }
        self.turn_soon();
    }
}
