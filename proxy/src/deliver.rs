//! The worker: claims events, sends them, and settles what became of them.
//!
//! [`Worker::step`] does one unit of work and says what it did; [`run`] adds only waiting and stopping.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{sync::watch, time};

use crate::{
    clock,
    health::Health,
    metrics::{CodeLabel, Metrics, OutcomeLabel},
    outcome::Outcome,
    queue::{self, Batch, Claimed, Limits, Outlet},
    retry::{self, Next},
    tiktok::Client,
};

/// The most bytes of events in one request; what careful senders keep to.
const BATCH_BYTES: usize = 1_000_000;
/// How long what waits is still delivered after the signal to stop. The rest stays on disk.
const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait after the store itself has failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Delivers events, one request at a time.
pub struct Worker {
    outlet: Outlet,
    client: Client,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    limits: Limits,
    /// Claimed and not settled: the front is next.
    in_hand: VecDeque<Attempted>,
}

struct Attempted {
    batch: Batch,
    attempts: u32,
}

/// What a step did.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing waits.
    Idle,
    /// Events came to an end, or closer to it.
    Worked,
    /// The next attempt is due after this time.
    Wait(Duration),
}

impl Worker {
    /// A worker that sends at most `batch_events` events in one request.
    pub fn new(
        outlet: Outlet,
        client: Client,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        batch_events: usize,
    ) -> Self {
        let limits = Limits {
            events: batch_events,
            bytes: BATCH_BYTES,
        };
        Self {
            outlet,
            client,
            health,
            metrics,
            limits,
            in_hand: VecDeque::new(),
        }
    }

    /// Sends one batch, if there is one.
    ///
    /// # Errors
    /// [`queue::Error`] when the store refuses. Everything that was claimed is claimed again.
    pub async fn step(&mut self) -> Result<Step, queue::Error> {
        let result = self.send_next().await;
        if result.is_err() {
            self.in_hand.clear();
            self.outlet.rewind();
        }
        result
    }

    async fn send_next(&mut self) -> Result<Step, queue::Error> {
        let Some(Attempted { batch, attempts }) = self.next_in_hand()? else {
            self.health.waiting_since(None);
            return Ok(Step::Idle);
        };
        let Some(batch) = self.without_expired(batch)? else {
            return Ok(Step::Worked);
        };
        self.health.waiting_since(batch.oldest_ms());
        #[allow(clippy::cast_precision_loss, reason = "at most 1000")]
        self.metrics.batch_events.observe(batch.events.len() as f64);
        let reply = self.client.track(&batch.records()).await;
        let code = reply
            .code()
            .map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.metrics
            .answers
            .get_or_create(&CodeLabel { code })
            .inc();
        tracing::debug!(events = batch.events.len(), reply = ?reply, "sent to TikTok");
        let attempts = attempts + 1;
        let next = retry::decide(reply, attempts, batch.events.len());
        self.health.barred(matches!(next, Next::Barred { .. }));
        match next {
            Next::End(outcome) => self.settle(&batch.events, &outcome),
            Next::Halve => {
                let (first, second) = batch.halves();
                for batch in [second, first] {
                    self.in_hand.push_front(Attempted { batch, attempts: 0 });
                }
                Ok(Step::Worked)
            }
            Next::Again { within, least } => {
                let wait = jittered(least, within);
                tracing::warn!(
                    events = batch.events.len(),
                    attempts,
                    wait_ms = wait.as_millis(),
                    "TikTok took nothing; trying again"
                );
                self.in_hand.push_front(Attempted { batch, attempts });
                Ok(Step::Wait(wait))
            }
            Next::Barred { within, verdict } => {
                let wait = jittered(Duration::from_secs(1), within);
                tracing::error!(
                    code = verdict.code,
                    message = verdict.message,
                    "TikTok refuses the token or its pixel; events are kept until it works again"
                );
                self.in_hand.push_front(Attempted { batch, attempts });
                Ok(Step::Wait(wait))
            }
        }
    }

    fn next_in_hand(&mut self) -> Result<Option<Attempted>, queue::Error> {
        if let Some(attempted) = self.in_hand.pop_front() {
            return Ok(Some(attempted));
        }
        let claimed = self.outlet.claim(self.limits)?;
        Ok(claimed.map(|batch| Attempted { batch, attempts: 0 }))
    }

    fn without_expired(&self, batch: Batch) -> Result<Option<Batch>, queue::Error> {
        let oldest = clock::now_ms() - retry::WORTH_DELIVERING_MS;
        let (expired, rest): (Vec<_>, Vec<_>) = batch
            .events
            .into_iter()
            .partition(|claimed| claimed.record.accepted_at_ms < oldest);
        if !expired.is_empty() {
            self.settle(&expired, &Outcome::Expired)?;
        }
        Ok((!rest.is_empty()).then_some(Batch { events: rest }))
    }

    fn settle(&self, events: &[Claimed], outcome: &Outcome) -> Result<Step, queue::Error> {
        let now_ms = clock::now_ms();
        self.outlet.settle(events, outcome, now_ms)?;
        let ended = OutcomeLabel {
            outcome: outcome.label(),
        };
        self.metrics
            .ended
            .get_or_create(&ended)
            .inc_by(events.len() as u64);
        if !outcome.is_dead() {
            for claimed in events {
                self.metrics
                    .delivery_seconds
                    .observe(seconds(now_ms - claimed.record.accepted_at_ms));
            }
        }
        let oldest = events
            .iter()
            .map(|claimed| claimed.record.accepted_at_ms)
            .min();
        let took_ms = oldest.map_or(0, |accepted| now_ms - accepted);
        match outcome {
            Outcome::Delivered => tracing::info!(events = events.len(), took_ms, "delivered"),
            Outcome::DeliveredWithWarning(verdict) => {
                tracing::warn!(
                    events = events.len(),
                    took_ms,
                    code = verdict.code,
                    message = verdict.message,
                    "delivered with a warning"
                );
            }
            Outcome::Refused(verdict) => tracing::error!(
                events = events.len(),
                event_id = first_id(events),
                code = verdict.code,
                message = verdict.message,
                "TikTok refused an event; it is kept as a dead letter"
            ),
            Outcome::Expired => tracing::error!(
                events = events.len(),
                "events could not be delivered within 7 days; they are kept as dead letters"
            ),
        }
        Ok(Step::Worked)
    }
}

/// Delivers until `stop` changes, then for at most ten seconds more.
pub async fn run(mut worker: Worker, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let waiting = step_or_pause(&mut worker).await;
        tokio::select! {
            () = pause(&worker.outlet, waiting) => {}
            _ = stop.changed() => {}
        }
    }
    let drained = time::timeout(DRAIN, async {
        while step_or_pause(&mut worker).await == Step::Worked {}
    })
    .await;
    match (drained, worker.outlet.depth()) {
        (Ok(()), 0) => tracing::info!("everything that was accepted is delivered"),
        (_, left) => tracing::info!(
            events = left,
            "stopping; what is not delivered stays on disk"
        ),
    }
}

async fn step_or_pause(worker: &mut Worker) -> Step {
    worker.step().await.unwrap_or_else(|error| {
        tracing::error!(error = ?error, "the store failed under the delivery worker");
        Step::Wait(STORE_PAUSE)
    })
}

async fn pause(outlet: &Outlet, after: Step) {
    match after {
        Step::Worked => {}
        Step::Idle => outlet.arrival().await,
        Step::Wait(wait) => time::sleep(wait).await,
    }
}

/// Anywhere from `least` to `within`.
fn jittered(least: Duration, within: Duration) -> Duration {
    let spread = within.saturating_sub(least);
    let share = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    least + spread.mul_f64(share)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a week in milliseconds is far below 2^52"
)]
fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1000.0
}

fn first_id(events: &[Claimed]) -> &str {
    events
        .first()
        .map_or("", |claimed| &claimed.record.event_id)
}

#[cfg(test)]
mod tests;
