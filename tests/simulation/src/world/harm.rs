//! Attackers, operators, clocks and storage, and the end of all faults.

use super::{AFTERMATH_MS, Caller, DAY_MS, HOUR_MS, Value, What, Who, World, clock, event, json};

impl World {
    pub(super) fn stranger(&mut self) {
        // An attacker who knows an order's id could begin the order before the order's page does. So only orders that are
        // already begun or registered are attacked.
        let known = self.orders.iter().enumerate();
        let known = known.filter(|(_, order)| order.is_begun || order.is_registered);
        let known: Vec<usize> = known.map(|(order, _)| order).collect();
        let Some(order) = self.rng.choice(known) else {
            return;
        };
        let victim = self.orders[order].id.clone();
        let own = format!("MINE{:08X}", self.rng.u32(..));
        let derived = |name: &str| {
            duet_events::EventId::derive(name, &victim)
                .as_str()
                .to_owned()
        };
        let (name, order_id, event_id) = match self.rng.u8(..5) {
            // An event of another order, with the id of the victim's event.
            0 => ("Subscribe", own, derived("Subscribe")),
            1 => ("InitiateCheckout", own, derived("InitiateCheckout")),
            // An order whose id looks like the victim's id.
            2 => (
                "InitiateCheckout",
                format!("{}-{}", &victim[..4], &victim[4..]),
                own,
            ),
            3 => ("InitiateCheckout", victim.to_lowercase(), own),
            // An order whose id contains the victim's id.
            _ => ("InitiateCheckout", format!("{victim}CHUYENTIEN"), own),
        };
        self.tell(|| format!("a stranger sends {name} of {order_id} as {event_id}"));
        let body = event(name, &event_id, &order_id, "E.C.P.stranger");
        self.hears(Who::Nobody, &body, Caller::Page);
    }

    pub(super) fn flood(&mut self) {
        self.tell(|| "a stranger sends 4,000 events".to_owned());
        for _ in 0..40 {
            let events: Vec<Value> = (0..100)
                .map(|_| {
                    let id = format!("{:016x}", self.rng.u64(..));
                    let body = event("ViewContent", &id, "", "E.C.P.stranger");
                    serde_json::from_slice(&body).unwrap_or_default()
                })
                .collect();
            let body = json!({ "events": events }).to_string().into_bytes();
            self.hears(Who::Nobody, &body, Caller::Page);
        }
        // At the same time, a payment is made.
        let unpaid = self.payings.iter().position(|paying| paying.told == 0);
        if let Some(paying) = unpaid {
            self.after(1_000, What::BankTells(paying));
        }
    }

    pub(super) fn set_clock(&mut self) {
        let ahead_ms = match self.rng.u8(..5) {
            0 => -self.rng.i64(0..100 * DAY_MS),
            1 => self.rng.i64(0..100 * DAY_MS),
            2 => self.rng.i64(-5 * HOUR_MS..5 * HOUR_MS),
            _ => 0,
        };
        self.tell(|| format!("the clock is set {} h ahead", ahead_ms / HOUR_MS));
        // Until TikTok has stated the time, the proxy takes a change of a few hours for a correction by NTP. And without
        // TikTok's time, a new store does not know the time at all.
        let may_be_right = ahead_ms.abs() <= DAY_MS || self.dated_ms.is_none();
        let is_dated = self.process().is_some_and(|process| process.is_dated);
        self.started_wrong |= !is_dated && may_be_right && ahead_ms != 0;
        clock::set_ahead(ahead_ms);
        if ahead_ms != 0 {
            let set_ms = clock::since_start_ms();
            self.after(23 * HOUR_MS, What::ClockStays { set_ms });
        }
    }

    pub(super) fn operator(&mut self) {
        let Some(process) = self.any_process() else {
            return;
        };
        let refused = |outcome: &str| outcome == "refused" || outcome == "expired";
        let replayed = process.replay(|letter| refused(&letter.outcome));
        if replayed.is_none() {
            self.tell(|| "an operator replays dead letters".to_owned());
        }
        let withdrawn = self.orders.iter().filter(|order| order.is_withdrawn);
        let withdrawn: Vec<String> = withdrawn.map(|order| order.id.clone()).collect();
        for id in withdrawn {
            self.tell(|| format!("an operator withdraws {id}"));
            if let Some(process) = self.any_process() {
                process.withdraw(id);
            }
        }
        self.turn_soon();
    }

    pub(super) fn clear_storage(&mut self) {
        if let Some(browser) = self.rng.choice(0..self.browsers.len()) {
            let lost = self.browsers[browser].clear();
            self.tell(|| format!("browser {browser} loses its storage with the events {lost:?}"));
            for event in lost {
                self.reported.remove(&event);
            }
        }
    }

    /// Ends all faults, and lets all visitors come back.
    pub(super) fn heal(&mut self) {
        self.tell(|| "all faults end now".to_owned());
        self.is_healed = true;
        self.falls_asleep = false;
        self.fails_over = false;
        self.plan.loss = 0;
        self.tiktok.heals();
        self.disk.heals();
        self.disk.has_a_server();
        clock::set_ahead(0);
        for number in self
            .asleep
            .iter()
            .map(|(_, process)| process.number)
            .collect::<Vec<_>>()
        {
            self.wake(number);
        }
        for _ in 0..self.plan.proxies.unwrap_or(1) {
            self.restart();
        }
        for browser in 0..self.browsers.len() {
            let ms = self.rng.i64(0..HOUR_MS);
            self.after(ms, What::Returns(browser));
        }
        for day in 1..AFTERMATH_MS / DAY_MS - 1 {
            self.after(day * DAY_MS, What::Operator);
        }
    }
}
