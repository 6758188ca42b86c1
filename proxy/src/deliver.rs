//! Delivers events. Each destination has its own courier, so that no destination waits for another.
//!
//! A [`Courier`] decides which events are sent and settled, and does no I/O. The courier's driver does the I/O in steps: it
//! sends and settles the events that the courier has chosen, and receives TikTok's replies. [`run`] repeats the steps, waits
//! between them, and stops.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use governor::{
    DefaultKeyedRateLimiter, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::{sync::watch, task::JoinSet, time};

use crate::{
    config::{Delivery, RateLimit},
    health::Health,
    metrics::Metrics,
    pixels::Pixels,
    queue::{Lane, Limits, Outlet},
    secret::AccessToken,
    tiktok::Client,
};

mod courier;
mod driver;
mod hand;
mod pace;
pub mod report;
mod size;

pub use courier::{Claims, Courier, Do, RequestId, Wait, Way};

use driver::{Driver, Step};

/// If a courier's pixel has no token, the courier checks again after this time.
const WITHOUT_TOKEN: Duration = Duration::from_secs(5);
/// How long the proxy still delivers pending events after the signal to stop. Events that are not delivered by then stay on
/// disk.
const DRAIN: Duration = Duration::from_secs(10);

/// What all couriers share: the client for TikTok, the configured pixels, the limits, and the reports of the delivery's state.
pub struct Link {
    client: Client,
    pixels: Arc<Pixels>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    limits: Limits,
    parallel: usize,
    /// Limits how many requests of each pixel can start in a period of time. `None` if `DUET_SEND_LIMIT` is `off`.
    requests: Option<DefaultKeyedRateLimiter<String>>,
}

impl Link {
    /// Returns a link with the limits of `delivery`.
    pub fn new(
        client: Client,
        pixels: Arc<Pixels>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        delivery: &Delivery,
    ) -> Self {
        let quota = delivery.send_limit.and_then(RateLimit::quota);
        Self {
            client,
            pixels,
            health,
            metrics,
            limits: Limits {
                events: delivery.batch_events,
                bytes: delivery.batch_bytes,
            },
            parallel: delivery.parallel,
            requests: quota.map(RateLimiter::keyed),
        }
    }

    /// Returns the token of a pixel that is configured, or was configured since the start. Returns `None` for any other
    /// pixel.
    fn token(&self, pixel_id: &str) -> Option<AccessToken> {
        self.pixels.now().token(pixel_id).cloned()
    }

    /// Takes one request from the pixel's allowance. If the allowance is used up, returns when the next request is allowed.
    fn allowance(&self, pixel_id: &String, now: Instant) -> Result<(), Instant> {
        if self.token(pixel_id).is_none() {
            return Err(now + WITHOUT_TOKEN);
        }
        let Some(requests) = &self.requests else {
            return Ok(());
        };
        requests
            .check_key(pixel_id)
            .map_err(|not_yet: governor::NotUntil<_>| {
                now + not_yet.wait_time_from(DefaultClock::default().now())
            })
    }
}

/// Delivers the events of all lanes until `stop` changes, and then for at most ten more seconds.
pub async fn run(mut outlet: Outlet, link: Link, mut stop: watch::Receiver<bool>) {
    let link = Arc::new(link);
    let mut couriers = JoinSet::new();
    while !*stop.borrow() {
        tokio::select! {
            lane = outlet.lane() => {
                couriers.spawn(serve(lane, Arc::clone(&link), stop.clone()));
            }
            _ = stop.changed() => {}
        }
    }
    let drained = time::timeout(DRAIN, async {
        while couriers.join_next().await.is_some() {}
    });
    match (drained.await, outlet.depth()) {
        (Ok(()), 0) => tracing::info!("all accepted events are delivered"),
        (_, left) => tracing::info!(
            events = left,
            "stopping; events that are not delivered stay on disk"
        ),
    }
}

/// Delivers the events of one lane until `stop` changes. After that, delivers only the events that can be sent without a pause.
async fn serve(lane: Lane, link: Arc<Link>, mut stop: watch::Receiver<bool>) {
    let mut driver = Driver::new(lane, link);
    loop {
        let did = driver.step().await;
        if *stop.borrow() {
            if did != Step::Worked {
                return;
            }
            continue;
        }
        tokio::select! {
            () = driver.pause(did) => {}
            _ = stop.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests;
