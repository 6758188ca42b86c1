//! A courier and its lane, run step by step.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use duet_proxy::{
    decide::{Class, Destination},
    deliver::{Courier, Do, RequestId, Wait},
    metrics::Metrics,
    queue::{Claimed, Lane, Limits, When},
    store::Error,
    tiktok,
};
use serde_json::Value;

use crate::task::{self, Task};

/// How long a courier waits after a failure of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);
const PARALLEL: usize = 4;

/// A courier and its lane.
pub(super) struct Run {
    pub(super) courier: Courier<Claimed>,
    pub(super) destination: Arc<Destination>,
    metrics: Arc<Metrics>,
    limits: Limits,
    pub(super) lane: Option<Lane>,
    pub(super) settling: Option<Task<(Lane, Result<(), Error>)>>,
    /// The time of the next step. An arrival does not make the step earlier.
    pub(super) until: Option<Instant>,
    /// The time of the next step, if no event arrives before.
    pub(super) due: Option<Instant>,
}

/// A courier's request to TikTok.
pub struct Sent {
    /// The lane.
    pub lane: usize,
    /// The request.
    pub request: RequestId,
    /// The pixel of the request's events.
    pub pixel: String,
    /// The body of the request.
    pub body: Vec<u8>,
    /// The class of the request's events.
    pub class: Class,
}

impl Sent {
    /// Returns the request's events.
    pub fn events(&self) -> Vec<Value> {
        let mut request: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        match request["data"].take() {
            Value::Array(events) => events,
            _ => Vec::new(),
        }
    }
}

impl Run {
    /// Starts a courier on a lane.
    pub(super) fn on(lane: Lane, limits: Limits, metrics: &Arc<Metrics>) -> Self {
        Self {
            courier: Courier::new(limits, PARALLEL),
            destination: Arc::clone(lane.destination()),
            metrics: Arc::clone(metrics),
            limits,
            lane: Some(lane),
            settling: None,
            until: None,
            due: None,
        }
    }

    pub(super) fn step(
        &mut self,
        index: usize,
        now: Instant,
        stretches: bool,
        sent: &mut Vec<Sent>,
    ) {
        loop {
            if let Some(settling) = &mut self.settling {
                let Some((lane, settled)) = settling.reply() else {
                    return;
                };
                self.settling = None;
                self.lane = Some(lane);
                match settled {
                    Ok(()) => self.courier.settled(),
                    Err(_) => return self.rewind(now),
                }
            }
            let Some(mut lane) = self.lane.take() else {
                return;
            };
            let read = task::at_once(lane.read_ahead(self.limits));
            if !matches!(read, Some(Ok(()))) {
                self.lane = Some(lane);
                return self.rewind(now);
            }
            let expiry_ms = lane.clock().times().expiry_ms;
            let done = self.courier.next(now, expiry_ms, &mut lane, || Ok(()));
            match done {
                Ok(Do::Send { request, events }) => {
                    let destination = lane.destination();
                    let events_text = events.iter().map(Claimed::event);
                    sent.push(Sent {
                        lane: index,
                        request,
                        pixel: destination.pixel_id.clone(),
                        body: tiktok::body(&destination.pixel_id, None, events_text),
                        class: events.first().map_or(Class::Second, Claimed::class),
                    });
                }
                Ok(Do::Settle {
                    events,
                    outcome,
                    sent,
                }) => {
                    let (events, outcome) = (events.to_vec(), outcome.clone());
                    let at_ms = lane.clock().stamp_ms();
                    let when = When { at_ms, sent };
                    let metrics = Arc::clone(&self.metrics);
                    let settling = async move {
                        let settled = lane.settle(&events, &outcome, when).await;
                        if settled.is_ok() {
                            let pixel_id = &lane.destination().pixel_id;
                            metrics.settled(pixel_id, outcome.label(), events.len() as u64);
                        }
                        (lane, settled)
                    };
                    match Task::start(settling) {
                        Ok(task) => self.settling = Some(task),
                        Err((lane, _)) => {
                            self.lane = Some(lane);
                            return self.rewind(now);
                        }
                    }
                    continue;
                }
                Ok(Do::Wait(wait)) => {
                    self.lane = Some(lane);
                    (self.until, self.due) = match wait {
                        Wait::Until(until) => {
                            let until = if stretches {
                                now + (until - now) * 8
                            } else {
                                until
                            };
                            (Some(until), Some(until))
                        }
                        Wait::Arrival(due) => (None, due),
                        Wait::Reply => (None, None),
                    };
                    return;
                }
                Err(_) => {
                    self.lane = Some(lane);
                    return self.rewind(now);
                }
            }
            self.lane = Some(lane);
        }
    }

    fn rewind(&mut self, now: Instant) {
        self.courier.rewind();
        if let Some(lane) = &mut self.lane {
            lane.rewind();
        }
        self.until = Some(now + STORE_PAUSE);
        self.due = self.until;
    }
}
