//! Delivery: one courier for each destination, so that none waits for another.
//!
//! A [`Courier`] decides what is sent and settled, and does no I/O. A step of its driver does one unit of
//! what it asks for; [`run`] adds only waiting and stopping.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use governor::{
    DefaultDirectRateLimiter, RateLimiter,
    clock::{Clock, DefaultClock},
};
use tokio::{sync::watch, task::JoinSet, time};

use crate::{
    config::{Delivery, RateLimit},
    health::Health,
    metrics::Metrics,
    queue::{Lane, Limits, Outlet},
    tiktok::Client,
};

mod courier;
mod driver;
mod hand;
mod pace;
mod report;
mod size;

pub use courier::{Claims, Courier, Do, RequestId, Wait, Way};

use driver::{Driver, Step};

/// How long what waits is still delivered after the signal to stop. The rest stays on disk.
const DRAIN: Duration = Duration::from_secs(10);

/// What all couriers share: the way to TikTok, and what is told of it.
pub struct Link {
    client: Client,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    limits: Limits,
    parallel: usize,
    requests: Option<DefaultDirectRateLimiter>,
}

impl Link {
    /// A link that sends as `delivery` says.
    pub fn new(
        client: Client,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        delivery: &Delivery,
    ) -> Self {
        let quota = delivery.send_limit.and_then(RateLimit::quota);
        Self {
            client,
            health,
            metrics,
            limits: Limits {
                events: delivery.batch_events,
                bytes: delivery.batch_bytes,
            },
            parallel: delivery.parallel,
            requests: quota.map(RateLimiter::direct),
        }
    }

    /// Takes a request from the allowance, or says when there is one to take.
    fn allowance(&self, now: Instant) -> Result<(), Instant> {
        let Some(requests) = &self.requests else {
            return Ok(());
        };
        requests.check().map_err(|not_yet: governor::NotUntil<_>| {
            now + not_yet.wait_time_from(DefaultClock::default().now())
        })
    }
}

/// Delivers until `stop` changes, then for at most ten seconds more.
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
        (Ok(()), 0) => tracing::info!("everything that was accepted is delivered"),
        (_, left) => tracing::info!(
            events = left,
            "stopping; what is not delivered stays on disk"
        ),
    }
}

/// Delivers the events of one lane until `stop` changes, and then what still gets through at once.
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
