//! The processes of the proxy: their work, their requests to TikTok, and their answers.

use duet_proxy::orders::Status;

use super::{
    Answer, Answered, Became, Caller, Enqueued, LONGEST_PAUSE, MINUTE_MS, Process, Promised, Reply,
    What, Who, World, clock, tiktok,
};

/// How soon a process reads what other processes have written.
pub(super) const LOOK_MS: i64 = 200;
/// How soon a lane searches again for events with lower numbers, which a late commit may have added.
const LOOK_BACK_MS: i64 = 5_200;

impl World {
    /// Lets every process carry out some of its waiting calls in one commit.
    pub(super) fn turn(&mut self, most: usize, sweep: bool) {
        for index in 0..self.processes.len() {
            let answered = self.processes[index].turn(most, sweep);
            for (who, answer) in answered {
                self.answer(who, answer);
            }
        }
        self.expect_late_commits();
        if self.fails_over && self.disk.has_unanswered() {
            self.lose_the_server();
        }
        self.deliver();
        self.turn_soon();
    }

    /// Lets the writers carry out the waiting calls soon.
    pub(super) fn turn_soon(&mut self) {
        let waits = self.processes.iter().any(Process::has_calls);
        if waits && !self.turn_is_due {
            self.turn_is_due = true;
            let ms = self.rng.i64(0..20);
            self.after(ms, What::Turn);
        }
        self.look_soon();
    }

    /// Lets processes read soon what other processes have written to the database.
    pub(super) fn look_soon(&mut self) {
        let has_news = |process: &Process| self.disk.has_news(process.number);
        if !self.look_is_due && self.processes.iter().any(has_news) {
            self.look_is_due = true;
            self.after(LOOK_MS, What::Looks);
        }
    }

    pub(super) fn look(&mut self) {
        self.look_is_due = false;
        for process in &mut self.processes {
            if self.disk.has_news(process.number) {
                process.look();
            }
        }
        self.deliver();
    }

    fn expect_late_commits(&mut self) {
        let arrives_ms = self.disk.arrives_ms();
        if arrives_ms != self.arrives_ms {
            self.arrives_ms = arrives_ms;
            if let Some(at_ms) = arrives_ms {
                self.at(at_ms, What::Arrives);
            }
        }
    }

    /// Lets late commits arrive. A lane finds the events of such a commit when it searches again for events with lower numbers.
    pub(super) fn arrive(&mut self) {
        self.tell(|| "a late commit arrives".to_owned());
        self.disk.arrive();
        self.expect_late_commits();
        self.after(LOOK_BACK_MS, What::Delivers);
        self.look_soon();
    }

    pub(super) fn deliver(&mut self) {
        let now = self.now();
        let mut sent = Vec::new();
        for process in &mut self.processes {
            let number = process.number;
            sent.extend(process.deliver(now).into_iter().map(|sent| (number, sent)));
        }
        let due = self.processes.iter().filter_map(Process::next_due).min();
        let waits = due.filter(|due| due.saturating_duration_since(now) > LONGEST_PAUSE);
        if waits.is_some() {
            self.fails("a courier must not wait longer than its longest pause".to_owned());
        }
        for (epoch, sent) in sent {
            let ms = self.rng.i64(5..300);
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

    /// Returns one of the running processes. Each process can handle each call.
    pub(super) fn any_process(&mut self) -> Option<&mut Process> {
        let index = self.any_index()?;
        self.processes.get_mut(index)
    }

    fn any_index(&mut self) -> Option<usize> {
        self.rng.choice(0..self.processes.len())
    }

    pub(super) fn hears(&mut self, who: Who, body: &[u8], caller: Caller) {
        let Some(index) = self.any_index() else {
            return self.gives_up(who);
        };
        let process = &mut self.processes[index];
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
                // The proxy calls an event a repeat if an earlier commit has stored the event. If the sender got no answer to
                // the first request, nobody knows when that commit was.
                let is_repeat = *enqueued == Enqueued::Duplicate;
                let first_ms = (!is_repeat).then_some(last_ms);
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
                // The payment came before the registration and has waited for it.
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
