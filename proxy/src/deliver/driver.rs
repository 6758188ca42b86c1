//! Drives a courier: passes the time, random numbers, the events of a lane and TikTok's replies to the courier, and does what
//! the courier returns.

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
    history::Sent,
    metrics::Metrics,
    outcome::Outcome,
    queue::{self, Claimed, Lane, Limits, When},
    tiktok::{Reply, Trouble, body},
};

/// How long the driver waits after a failure of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// A courier, its lane and its requests.
pub(super) struct Driver {
    courier: Courier<Claimed>,
    lane: Lane,
    link: Arc<Link>,
    under_way: JoinSet<Answer>,
    /// Whether a missing token of the pixel has already been logged.
    has_warned: bool,
}

struct Answer {
    request: RequestId,
    /// How many events the request had.
    events: usize,
    reply: Reply,
}

/// The result of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Events were settled or sent.
    Worked,
    /// No request is open, and there is nothing to do until this wait is over.
    Idle(Wait),
}

impl Driver {
    pub(super) fn new(lane: Lane, link: Arc<Link>) -> Self {
        Self {
            courier: Courier::new(link.limits, link.parallel),
            lane,
            link,
            under_way: JoinSet::new(),
            has_warned: false,
        }
    }

    /// Does everything that can be done without waiting. If requests are open, then waits for one reply. If the store fails,
    /// gives up all claims, and claims their events again after a pause.
    pub(super) async fn step(&mut self) -> Step {
        match self.work().await {
            Ok(did) => did,
            Err(error) => {
                tracing::error!(error = ?error, "the store failed during delivery; delivery is retried");
                self.under_way = JoinSet::new();
                self.courier.rewind();
                self.lane.rewind();
                Step::Idle(Wait::Until(Instant::now() + STORE_PAUSE))
            }
        }
    }

    /// Waits, after a step, until there is something to do again.
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
        let now_ms = self.lane.clock().times().age_ms();
        let now = Instant::now();
        let speed = self.courier.speed(now, now_ms);
        let tried = self.courier.tried(now, now_ms, Claimed::sequence);
        self.link.health.sends(destination, speed, tried);
        let has_token = self.link.token(&destination.pixel_id).is_some();
        if oldest_ms.is_some() && !has_token && !self.has_warned {
            report::without_token(destination);
        }
        self.has_warned = !has_token;
        if self.under_way.is_empty() {
            return Ok(Step::Idle(until));
        }
        tokio::select! {
            answer = self.under_way.join_next() => match answer {
                Some(Ok(answer)) => self.answered(answer),
                // The task that sent the request has ended without a reply. The error causes a rewind, so the events of the
                // request are claimed again.
                Some(Err(_)) => return Err(queue::Error::Stopped),
                None => {}
            },
            () = wait(&self.lane, until) => {}
        }
        Ok(Step::Worked)
    }

    async fn start_and_settle(&mut self) -> Result<Wait, queue::Error> {
        loop {
            self.lane.read_ahead(self.link.limits).await?;
            let now = Instant::now();
            let expiry_ms = self.lane.clock().times().expiry_ms;
            let (lane, link) = (&mut self.lane, &*self.link);
            let destination = Arc::clone(lane.destination());
            let allowance = || link.allowance(&destination.pixel_id, now);
            match self.courier.next(now, expiry_ms, lane, allowance)? {
                Do::Send { request, events } => {
                    let answer = send(lane, link, request, events);
                    self.under_way.spawn(answer);
                }
                Do::Settle {
                    events,
                    outcome,
                    sent,
                } => {
                    settle(lane, &link.metrics, events, (outcome, sent)).await?;
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
        let destination = self.lane.destination();
        self.link
            .metrics
            .answered(&destination.pixel_id, reply.code());
        self.link.health.answered(destination, reply.code());
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
    let token = link.token(&destination.pixel_id);
    async move {
        let (reply, date_ms) = match token {
            Some(token) => client.track(&token, body).await,
            // This case does not happen: if the pixel has no token, no request is allowed.
            None => (Reply::Unreachable(Trouble::Connection(String::new())), None),
        };
        // Only an answer with TikTok's code states the time reliably. An HTML page of a gateway can come from any server.
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
    (outcome, sent): (&Outcome, Sent),
) -> Result<(), queue::Error> {
    let now_ms = lane.clock().stamp_ms();
    let when = When {
        at_ms: now_ms,
        sent,
    };
    lane.settle(events, outcome, when).await?;
    report::settled(metrics, events, outcome, now_ms, lane.destination());
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

    fn is_withdrawn(&self, event: &Claimed) -> bool {
        Lane::is_withdrawn(self, event)
    }

    fn accepted_at_ms(event: &Claimed) -> i64 {
        event.accepted_at_ms()
    }
}

/// Returns a random number from 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
