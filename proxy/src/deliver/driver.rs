//! Drives a courier: gives it the time, random numbers, a lane's events and TikTok's replies, and does what it returns.

use std::{
    future::{self, Future},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time};

use super::{
    Link,
    courier::{Claims, Courier, Do, RequestId, Wait},
    report,
};
use crate::{
    decide::Class,
    metrics::Metrics,
    outcome::Outcome,
    queue::{self, Claimed, Lane, Limits},
    tiktok::{Reply, body},
};

/// How long to wait after the store itself has failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// A courier on its lane, and its requests.
pub(super) struct Driver {
    courier: Courier<Claimed>,
    lane: Lane,
    link: Arc<Link>,
    under_way: JoinSet<Answer>,
}

struct Answer {
    request: RequestId,
    /// How many the request had.
    events: usize,
    reply: Reply,
}

/// What a step did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Events came to an end, or closer to it.
    Worked,
    /// Nothing is under way, and nothing can be done before this.
    Idle(Wait),
}

impl Driver {
    pub(super) fn new(lane: Lane, link: Arc<Link>) -> Self {
        Self {
            courier: Courier::new(link.limits, link.parallel),
            lane,
            link,
            under_way: JoinSet::new(),
        }
    }

    /// Does what can be done at once, and takes one reply where any is due. After the store has failed, everything that
    /// was claimed is claimed again, a while later.
    pub(super) async fn step(&mut self) -> Step {
        match self.work().await {
            Ok(did) => did,
            Err(error) => {
                tracing::error!(error = ?error, "the store failed under delivery");
                self.under_way = JoinSet::new();
                self.courier.rewind();
                self.lane.rewind();
                Step::Idle(Wait::Until(Instant::now() + STORE_PAUSE))
            }
        }
    }

    /// Returns when there is something to do after a step.
    pub(super) async fn pause(&self, after: Step) {
        if let Step::Idle(until) = after {
            wait(&self.lane, until).await;
        }
    }

    async fn work(&mut self) -> Result<Step, queue::Error> {
        let until = self.start_and_settle().await?;
        let oldest_ms = self.lane.oldest_ms(self.link.limits)?;
        let destination = self.lane.destination();
        self.link.health.waiting_since(destination, oldest_ms);
        if self.under_way.is_empty() {
            return Ok(Step::Idle(until));
        }
        tokio::select! {
            answer = self.under_way.join_next() => match answer {
                Some(Ok(answer)) => self.answered(answer),
                // The task that sent it is gone; its events are claimed again.
                Some(Err(_)) => return Err(queue::Error::Stopped),
                None => {}
            },
            () = wait(&self.lane, until) => {}
        }
        Ok(Step::Worked)
    }

    async fn start_and_settle(&mut self) -> Result<Wait, queue::Error> {
        loop {
            let now = Instant::now();
            let expiry_ms = self.lane.clock().times().expiry_ms;
            let (lane, link) = (&mut self.lane, &*self.link);
            match self
                .courier
                .next(now, expiry_ms, lane, || link.allowance(now))?
            {
                Do::Send { request, events } => {
                    let answer = send(lane, link, request, events);
                    self.under_way.spawn(answer);
                }
                Do::Settle { events, outcome } => {
                    settle(lane, &link.metrics, events, outcome).await?;
                    self.courier.settled();
                }
                Do::Wait(until) => return Ok(until),
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        let Answer {
            request,
            events,
            reply,
        } = answer;
        self.link.metrics.answered(reply.code());
        tracing::debug!(events, reply = ?reply, "TikTok answered");
        let way = self
            .courier
            .answered(request, reply, Instant::now(), random_share);
        if let Some(way) = way {
            report::way(&self.link.health, self.lane.destination(), &way);
        }
    }
}

fn send(
    lane: &Lane,
    link: &Link,
    request: RequestId,
    events: &[Claimed],
) -> impl Future<Output = Answer> + use<> {
    let destination = lane.destination();
    let body = body(
        &destination.pixel_id,
        destination.test_event_code.as_deref(),
        events.iter().map(Claimed::event),
    );
    let events = events.len();
    link.metrics.sending(events);
    let (client, clock) = (link.client.clone(), lane.clock().clone());
    async move {
        let (reply, date_ms) = client.track(body).await;
        // A gateway's page without a verdict may come from anywhere, and so may its time.
        if let (Some(_), Some(date_ms)) = (reply.code(), date_ms) {
            clock.dated(date_ms);
        }
        Answer {
            request,
            events,
            reply,
        }
    }
}

async fn settle(
    lane: &mut Lane,
    metrics: &Metrics,
    events: &[Claimed],
    outcome: &Outcome,
) -> Result<(), queue::Error> {
    let now_ms = lane.clock().stamp_ms();
    lane.settle(events, outcome, now_ms).await?;
    let test_event_code = lane.destination().test_event_code.as_deref();
    report::settled(metrics, events, outcome, now_ms, test_event_code);
    Ok(())
}

async fn wait(lane: &Lane, until: Wait) {
    match until {
        Wait::Arrival(until) => {
            let within = until.map(|until| until.saturating_duration_since(Instant::now()));
            lane.arrival(within).await;
        }
        Wait::Until(until) => time::sleep_until(until.into()).await,
        Wait::Reply => future::pending().await,
    }
}

impl Claims for Lane {
    type Event = Claimed;
    type Error = queue::Error;

    fn claim(&mut self, class: Class, limits: Limits) -> Result<Vec<Claimed>, queue::Error> {
        let batch = Lane::claim(self, class, limits)?;
        Ok(batch.map_or_else(Vec::new, |batch| batch.events))
    }

    fn any(&mut self, class: Class, bytes: usize) -> Result<bool, queue::Error> {
        Lane::any(self, class, bytes)
    }

    fn accepted_at_ms(event: &Claimed) -> i64 {
        event.accepted_at_ms()
    }
}

/// From 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
