//! Orders, the shop's server, and the bank.

use super::{DAY_MS, HOUR_MS, Paying, ShopOrder, What, Who, World};

impl World {
    pub(super) fn order(&mut self, browser: usize) {
        let click = self.browsers[browser].click.clone();
        let order = ShopOrder::new(browser, click, &mut self.rng);
        let payments = order.payments(&mut self.rng);
        let id = order.id.clone();
        self.tell(|| format!("browser {browser} orders {id}, to be paid: {payments:?}"));
        self.orders.push(order);
        let number = self.orders.len() - 1;
        let page = self.open(browser);
        self.track(browser, page, "InitiateCheckout", Some(&id));
        if self.orders[number].registers {
            let ms = self.rng.i64(0..5_000);
            self.after(ms, What::Registers(number));
        }
        for (ms, amount) in payments {
            let memo = self.orders[number].memo(&mut self.rng);
            self.payings.push(Paying {
                order: number,
                amount,
                id: format!("T{}", self.payings.len()),
                memo,
                told: 0,
                was_known: false,
                was_begun: false,
                is_answered: false,
            });
            let paying = self.payings.len() - 1;
            self.orders[number].transfers.push(paying);
            self.after(ms, What::BankTells(paying));
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
        let Some(process) = &mut self.process else {
            return self.gives_up(Who::Shop(order));
        };
        if let Some(answer) = process.register(Who::Shop(order), registration) {
            self.answer(Who::Shop(order), answer);
        }
        self.turn_soon();
    }

    pub(super) fn bank_tells(&mut self, paying: usize) {
        if self.payings[paying].is_answered && self.payings[paying].told > 3 {
            return;
        }
        let order = &self.orders[self.payings[paying].order];
        let is_known = order.is_registered || order.is_begun && !order.registers;
        let is_begun = order.is_begun;
        let told = &mut self.payings[paying].told;
        *told += 1;
        if *told == 1 {
            self.payings[paying].was_known = is_known;
            self.payings[paying].was_begun = is_begun;
        }
        let receipt = self.payings[paying].receipt(&self.destination);
        let memo = self.payings[paying].memo.clone();
        self.tell(|| format!("the bank tells of transfer {paying}: {memo}"));
        if self.is_lost() {
            return self.gives_up(Who::Bank(paying));
        }
        let Some(process) = &mut self.process else {
            return self.gives_up(Who::Bank(paying));
        };
        if let Some(answer) = process.pay(Who::Bank(paying), receipt) {
            self.answer(Who::Bank(paying), answer);
        }
        // Banks tell twice, also where they were answered.
        if self.rng.u8(..5) == 0 && self.payings[paying].told < 3 {
            let ms = self.rng.i64(0..HOUR_MS);
            self.after(ms, What::BankTells(paying));
        }
        self.turn_soon();
    }
}
