//! Delivers the events of one destination.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time};

use super::{
    Link,
    hand::{Hand, Load, backoff},
    pace::{Pace, Ticket, Turn},
    size::Size,
};
use crate::{
    outcome::Outcome,
    queue::{self, Batch, Claimed, Class, Lane},
    retry::{self, Next, Slow},
    tiktok::{Reply, Verdict, body},
};

/// How often a batch may meet trouble while others get through before it is divided, in case one event is to blame.
const SUSPICIOUS_TROUBLES: u32 = 8;

/// Claims the events of one lane, sends them, and settles what became of them.
pub(super) struct Courier {
    lane: Lane,
    link: Arc<Link>,
    pace: Pace,
    size: Size,
    /// Claimed, not under way and not settled.
    in_hand: Hand,
    under_way: JoinSet<(Load, Ticket, Reply)>,
    /// How many requests have been taken.
    taken: u64,
    /// Whether the places that refusals name are believed.
    hints: bool,
}

/// What a step did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing can be sent before something arrives or, where something waits for its next attempt, this time is over.
    Idle(Option<Duration>),
    /// Events came to an end, or closer to it.
    Worked,
    /// Nothing is sent before this time is over, whatever arrives.
    Wait(Duration),
}

/// Why no request was started.
enum Blocked {
    /// Nothing is due before something arrives or this time is over.
    NothingDue(Option<Duration>),
    For(Duration),
    EnoughUnderWay,
}

impl Courier {
    pub(super) fn new(lane: Lane, link: Arc<Link>) -> Self {
        Self {
            pace: Pace::new(link.parallel),
            size: Size::new(link.limits),
            in_hand: Hand::new(2 * link.parallel),
            lane,
            link,
            under_way: JoinSet::new(),
            taken: 0,
            hints: true,
        }
    }

    /// Starts the requests that may be started, and reads one answer.
    ///
    /// # Errors
    /// [`queue::Error`] when the store refuses. Everything that was claimed is claimed again.
    pub(super) async fn step(&mut self) -> Result<Step, queue::Error> {
        let result = self.work().await;
        if result.is_err() {
            self.in_hand.clear();
            self.under_way = JoinSet::new();
            self.lane.rewind();
        }
        result
    }

    /// Returns when something may have arrived since the last call, or this time is over.
    pub(super) async fn arrival(&self, within: Option<Duration>) {
        self.lane.arrival(within).await;
    }

    async fn work(&mut self) -> Result<Step, queue::Error> {
        let blocked = self.send_what_may_go().await?;
        let oldest_ms = self.lane.oldest_ms(self.link.limits)?;
        let destination = self.lane.destination();
        self.link.health.waiting_since(destination, oldest_ms);
        if self.under_way.is_empty() {
            return Ok(match blocked {
                Blocked::For(wait) => Step::Wait(wait),
                Blocked::NothingDue(due) => Step::Idle(due),
                Blocked::EnoughUnderWay => Step::Idle(None),
            });
        }
        let free = async {
            match blocked {
                Blocked::NothingDue(due) => self.lane.arrival(due).await,
                Blocked::For(wait) => time::sleep(wait).await,
                Blocked::EnoughUnderWay => std::future::pending().await,
            }
        };
        tokio::select! {
            answered = self.under_way.join_next() => match answered {
                Some(Ok((load, ticket, reply))) => self.conclude(load, ticket, reply).await?,
                // The task that sent it is gone, and its events with it; they are claimed again.
                Some(Err(_)) => return Err(queue::Error::Stopped),
                None => {}
            },
            () = free => {}
        }
        Ok(Step::Worked)
    }

    async fn send_what_may_go(&mut self) -> Result<Blocked, queue::Error> {
        loop {
            match self.pace.turn(self.under_way.len(), Instant::now()) {
                Turn::Go => {}
                Turn::Wait(wait) => return Ok(Blocked::For(wait)),
                Turn::Full => return Ok(Blocked::EnoughUnderWay),
            }
            let mut load = match self.next_load()? {
                Ok(load) => load,
                Err(blocked) => return Ok(blocked),
            };
            if !self.expire(&mut load.batch).await? {
                continue;
            }
            if let Err(wait) = self.link.allowance() {
                self.in_hand.put_first(load);
                return Ok(Blocked::For(wait));
            }
            self.send(load);
        }
    }

    /// Of the class whose turn it is, what is due, or else what has not been sent yet.
    fn next_load(&mut self) -> Result<Result<Load, Blocked>, queue::Error> {
        let now = Instant::now();
        for class in self.in_hand.turns() {
            if let Some(load) = self.in_hand.due(class, now) {
                return Ok(Ok(load));
            }
            if self.in_hand.has_room(class)
                && let Some(batch) = self.lane.claim(class, self.size.limits())?
            {
                return Ok(Ok(Load::new(batch, class, now, self.taken)));
            }
        }
        let due = self.in_hand.next_due();
        let due = due.map(|due| due.saturating_duration_since(now));
        Ok(Err(Blocked::NothingDue(due)))
    }

    /// Ends what is too old; whether anything is left.
    async fn expire(&mut self, batch: &mut Batch) -> Result<bool, queue::Error> {
        let oldest = self.lane.clock().times().expiry_ms - retry::WORTH_DELIVERING_MS;
        let expired: Vec<_> = batch
            .events
            .extract_if(.., |claimed| claimed.accepted_at_ms() < oldest)
            .collect();
        if !expired.is_empty() {
            self.settle(&expired, &Outcome::Expired).await?;
        }
        Ok(!batch.events.is_empty())
    }

    fn send(&mut self, load: Load) {
        self.in_hand.sends(load.class);
        let destination = self.lane.destination();
        let body = body(
            &destination.pixel_id,
            destination.test_event_code.as_deref(),
            load.batch.events.iter().map(Claimed::event),
        );
        self.link.metrics.sending(load.batch.events.len());
        let ticket = self.pace.started(Instant::now());
        let (client, clock) = (self.link.client.clone(), self.lane.clock().clone());
        self.under_way.spawn(async move {
            let (reply, date_ms) = client.track(body).await;
            // A gateway's page without a verdict may come from anywhere, and so may its time.
            if let (Some(_), Some(date_ms)) = (reply.code(), date_ms) {
                clock.dated(date_ms);
            }
            (load, ticket, reply)
        });
    }

    async fn conclude(
        &mut self,
        mut load: Load,
        ticket: Ticket,
        reply: Reply,
    ) -> Result<(), queue::Error> {
        self.link.metrics.answered(reply.code());
        tracing::debug!(events = load.batch.events.len(), reply = ?reply, "TikTok answered");
        load.attempts = load.attempts.saturating_add(1);
        if matches!(reply, Reply::Unclear(_)) {
            load.unclear = load.unclear.saturating_add(1);
        }
        let next = retry::decide(reply, load.unclear, load.batch.events.len());
        if !matches!(next, Next::Again(_) | Next::Barred(_)) {
            self.got_through(ticket);
        }
        let class = load.class;
        match next {
            Next::End(outcome) => {
                if load.named && !outcome.is_dead() {
                    tracing::warn!(
                        "TikTok named an event that it then took; its hints are not used any more"
                    );
                    self.hints = false;
                }
                let is_delivered = !outcome.is_dead();
                self.settle(&load.batch.events, &outcome).await?;
                self.grow_where_more_waits(is_delivered, class)
            }
            Next::Apart { refused, others } => {
                self.settle_apart(load.batch, refused, &others).await?;
                self.grow_where_more_waits(true, class)
            }
            Next::Narrow { suspect } => {
                self.narrow(load, suspect.filter(|_| self.hints));
                Ok(())
            }
            Next::Again(why) => {
                self.again(load, why, ticket);
                Ok(())
            }
            Next::Barred(verdict) => {
                self.barred(load, &verdict, ticket);
                Ok(())
            }
        }
    }

    fn got_through(&mut self, ticket: Ticket) {
        self.taken += 1;
        self.link.health.barred(self.lane.destination(), false);
        if self.pace.answered(ticket) {
            // TikTok is back: what waits for its next attempt need not wait longer, unless it is what fails.
            self.in_hand.hurry(SUSPICIOUS_TROUBLES, Instant::now());
        }
    }

    fn grow_where_more_waits(
        &mut self,
        is_delivered: bool,
        class: Class,
    ) -> Result<(), queue::Error> {
        if is_delivered && self.lane.any(class, self.link.limits.bytes)? {
            self.size.grow();
        }
        Ok(())
    }

    /// Divides a batch, and sends the parts before anything else.
    fn narrow(&mut self, load: Load, suspect: Option<usize>) {
        self.size.fall_back();
        let class = load.class;
        let divided = match suspect {
            Some(index) => load.batch.without(index),
            None => Err(load.batch),
        };
        let (first, second, named) = match divided {
            Ok((event, others)) => (event, others, true),
            Err(batch) => {
                let (first, second) = batch.halves();
                (first, second, false)
            }
        };
        let now = Instant::now();
        let part = |batch| Load::new(batch, class, now, self.taken);
        let (first, second) = (part(first), part(second));
        self.in_hand.put_first(second);
        self.in_hand.put_first(Load { named, ..first });
    }

    fn again(&mut self, mut load: Load, why: Slow, ticket: Ticket) {
        let now = Instant::now();
        let (events, attempts) = (load.batch.events.len(), load.attempts);
        if let Some(wait) = self.pace.pause(why, ticket, now, random_share()) {
            let wait_s = wait.as_secs_f64();
            tracing::warn!(
                events,
                attempts,
                wait_s,
                "TikTok took nothing; trying again"
            );
        }
        if why != Slow::Trouble {
            load.due = now;
            return self.in_hand.put_first(load);
        }
        self.size.fall_back();
        load.troubles = load.troubles.saturating_add(1);
        let others_get_through = self.taken > load.since;
        if load.troubles >= SUSPICIOUS_TROUBLES && others_get_through && events > 1 {
            return self.narrow(load, None);
        }
        load.due = now + backoff(load.troubles, random_share());
        // It may have been too much at once.
        for piece in load.cut(self.size.limits().events) {
            self.in_hand.put_last(piece);
        }
    }

    fn barred(&mut self, mut load: Load, verdict: &Verdict, ticket: Ticket) {
        let now = Instant::now();
        self.link.health.barred(self.lane.destination(), true);
        if let Some(wait) = self.pace.pause(Slow::Barred, ticket, now, random_share()) {
            tracing::error!(
                pixel_id = self.lane.destination().pixel_id,
                code = verdict.code,
                tiktok_message = verdict.message,
                wait_s = wait.as_secs_f64(),
                "TikTok refuses the token or its pixel; events are kept until it works again"
            );
        }
        load.due = now;
        self.in_hand.put_first(load);
    }

    async fn settle_apart(
        &mut self,
        batch: Batch,
        refused: Vec<(usize, Verdict)>,
        others: &Outcome,
    ) -> Result<(), queue::Error> {
        let mut taken = Vec::new();
        for (index, claimed) in batch.events.into_iter().enumerate() {
            match refused.iter().find(|(refused, _)| *refused == index) {
                Some((_, verdict)) => {
                    let outcome = Outcome::Refused(verdict.clone());
                    self.settle(&[claimed], &outcome).await?;
                }
                None => taken.push(claimed),
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        self.settle(&taken, others).await
    }

    async fn settle(&mut self, events: &[Claimed], outcome: &Outcome) -> Result<(), queue::Error> {
        let now_ms = self.lane.clock().stamp_ms();
        self.lane.settle(events, outcome, now_ms).await?;
        let test_event_code = self.lane.destination().test_event_code.as_deref();
        let metrics = &self.link.metrics;
        super::report::settled(metrics, events, outcome, now_ms, test_event_code);
        Ok(())
    }
}

/// From 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
