//! The proxy's process: its turns, ends and starts, and its answers.

use duet_proxy::orders::Status;

use super::{
    Answer, Answered, Became, Caller, Fault, HOUR_MS, LONGEST_PAUSE, Limits, MINUTE_MS, Options,
    Process, Promised, Reply, What, Who, World, clock, tiktok,
};

impl World {
    pub(super) fn turn(&mut self, most: usize, sweep: bool) {
        let Some(process) = &mut self.process else {
            return;
        };
        let answered = process.turn(most, sweep);
        for (who, answer) in answered {
            self.answer(who, answer);
        }
        self.deliver();
        self.turn_soon();
    }

    /// Lets the writer carry out the waiting calls a moment later.
    pub(super) fn turn_soon(&mut self) {
        let waits = self.process.as_ref().is_some_and(Process::has_calls);
        if waits && !self.turn_is_due {
            self.turn_is_due = true;
            let ms = self.rng.i64(0..20);
            self.after(ms, What::Turn);
        }
    }

    pub(super) fn deliver(&mut self) {
        let now = self.now();
        let Some(process) = &mut self.process else {
            return;
        };
        let sent = process.deliver(now);
        let due = process.next_due();
        let waits = due.filter(|due| due.saturating_duration_since(now) > LONGEST_PAUSE);
        if waits.is_some() {
            self.fails("a courier waits longer than the longest pause".to_owned());
        }
        for sent in sent {
            let (epoch, ms) = (self.epoch, self.rng.i64(5..300));
            if self.is_lost() {
                self.tell(|| "a request to TikTok is lost".to_owned());
                self.is_in_trouble();
                let reply = Reply::Unreachable(tiktok::Trouble::TimedOut);
                let (lane, request) = (sent.lane, sent.request);
                let is_dated = false;
                self.after(
                    15_000,
                    What::TikTokAnswers {
                        epoch,
                        lane,
                        request,
                        reply,
                        is_dated,
                    },
                );
            } else {
                self.after(ms, What::TikTokHears { epoch, sent });
            }
        }
        if let Some(due) = due {
            let in_ms =
                i64::try_from(due.saturating_duration_since(now).as_millis()).unwrap_or(i64::MAX);
            let at_ms = clock::since_start_ms() + in_ms + 1;
            if self.delivers_at.is_none_or(|planned| at_ms < planned) {
                self.delivers_at = Some(at_ms);
                self.at(at_ms, What::Delivers);
            }
        }
        self.turn_soon();
    }

    pub(super) fn crash(&mut self) {
        if self.is_healed {
            return;
        }
        self.is_in_trouble();
        match self.rng.u8(..6) {
            0..=1 => {
                self.tell(|| "the proxy is killed".to_owned());
                self.stop();
                self.disk.loses_its_process();
            }
            2..=3 => {
                let tail = self.disk.tail();
                let kept = self.rng.usize(..=tail);
                self.tell(|| format!("the power goes; {kept} of {tail} unsynced commits are left"));
                self.stop();
                self.disk.loses_power(kept);
                clock::boot();
            }
            _ => {
                let some = [
                    Fault::SyncKeeps,
                    Fault::SyncLoses,
                    Fault::Torn,
                    Fault::Closed,
                ];
                let count = self.rng.usize(1..4);
                let faults: Vec<_> = (0..count).map(|_| some[self.rng.usize(..4)]).collect();
                self.tell(|| format!("the disk is about to fail: {faults:?}"));
                self.disk.fails_with(&faults);
                return;
            }
        }
        let ms = if self.rng.u8(..4) == 0 {
            self.rng.i64(HOUR_MS..10 * HOUR_MS)
        } else {
            self.rng.i64(1_000..10 * MINUTE_MS)
        };
        self.after(ms, What::Restart);
    }

    /// Closes the connection of every sender that waits for an answer.
    pub(super) fn stop(&mut self) {
        self.process = None;
        self.epoch += 1;
        let unanswered = std::mem::take(&mut self.requests);
        for ((browser, page, request), ids) in unanswered {
            let who = Who::Page {
                browser,
                page,
                request,
            };
            self.requests.insert((browser, page, request), ids);
            self.gives_up(who);
        }
    }

    pub(super) fn restart(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.epoch += 1;
        let limits = Limits {
            events: if self.plan.flood { 20 } else { 1000 },
            bytes: 1_000_000,
        };
        let options = Options {
            destinations: self.destinations.clone(),
            limits,
            plant: self.plant,
        };
        self.is_in_trouble();
        if !self.plan.starts_wrong {
            clock::set_ahead(0);
        }
        let ahead_ms = clock::read().wall_ms - clock::true_ms();
        self.started_wrong |= ahead_ms.abs() > MINUTE_MS;
        match Process::start(&self.disk, options) {
            Ok(process) => {
                self.tell(|| "the proxy starts".to_owned());
                self.process = Some(process);
                self.turn(0, false);
            }
            Err(error) => {
                self.tell(|| format!("the proxy cannot start: {error}"));
                self.after(5_000, What::Restart);
            }
        }
    }

    pub(super) fn hears(&mut self, who: Who, body: &[u8], caller: Caller) {
        let Some(process) = &mut self.process else {
            return self.gives_up(who);
        };
        if let Some(answer) = process.hear(who.clone(), body, caller, &mut self.rng) {
            self.answer(who, answer);
        }
        self.turn_soon();
    }

    pub(super) fn answer(&mut self, who: Who, answer: Answer) {
        if matches!(answer, Answer::Unavailable) {
            self.is_in_trouble();
        }
        if let Answer::Events(results) = &answer {
            for (named, enqueued) in results.iter().flatten() {
                let line = format!("{enqueued:?}: {} {}", named.name, named.id);
                self.tell(|| line);
                let last_ms = clock::since_start_ms();
                let promised = self.promised.entry(named.clone());
                let first_ms = last_ms;
                let promised = promised.or_insert(Promised { first_ms, last_ms });
                promised.last_ms = last_ms;
            }
        }
        match (who, answer) {
            (who @ Who::Page { .. }, Answer::Events(results)) => self.answer_page(who, &results),
            (who @ Who::Page { .. }, _) => {
                let answered = Answered {
                    status: 503,
                    results: String::new(),
                };
                self.after(20, What::Answers { who, answered });
            }
            (Who::Bank(paying), Answer::Paid(taken)) => {
                let became = taken.payment.became;
                let order_id = taken.payment.order_id.clone().unwrap_or_default();
                self.tell(|| format!("transfer {paying} is {} for {order_id}", became.label()));
                let now_ms = clock::true_ms();
                self.payings[paying].became.get_or_insert((became, now_ms));
                if matches!(
                    became,
                    Became::Paid | Became::Overpaid | Became::AmountDiffers
                ) {
                    self.paid.entry(order_id).or_insert_with(clock::true_ms);
                }
                if self.is_lost() {
                    self.tell(|| "the bank gets no answer".to_owned());
                    self.after(5 * MINUTE_MS, What::BankTells(paying));
                } else {
                    self.payings[paying].is_answered = true;
                }
            }
            (Who::Bank(paying), _) => self.after(MINUTE_MS, What::BankTells(paying)),
            (Who::Shop(order), Answer::Registered(Some(status))) => {
                self.orders[order].is_registered = true;
                // The payment came first and was waiting.
                if status == Status::Paid {
                    let id = self.orders[order].id.clone();
                    self.paid.entry(id).or_insert_with(clock::true_ms);
                }
            }
            (Who::Shop(order), Answer::Unavailable) => {
                self.after(MINUTE_MS, What::Registers(order));
            }
            (Who::Shop(_) | Who::Nobody, _) => {}
        }
    }
}
