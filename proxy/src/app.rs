//! What handlers share.

use std::sync::Arc;

use duet_events::Country;

use crate::{
    config::{Config, Server, TestMode},
    health::Health,
    http::rate::Rates,
    metrics::Metrics,
    queue::{Destination, Intake},
};

/// Handed to every handler.
pub type App = Arc<Shared>;

/// What they share.
pub struct Shared {
    /// Takes events in.
    pub intake: Intake,
    /// What the delivery worker knows.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How requests are taken.
    pub server: Server,
    /// How much each client has asked for.
    pub rates: Rates,
    /// Where live events go.
    pub destination: Arc<Destination>,
    /// The time in which everything is a test.
    pub test: Option<TestMode>,
    /// Where phone numbers without a country code belong.
    pub country: Option<Country>,
}

impl Shared {
    /// What of `config` handlers need, and the queue they fill.
    pub fn new(
        config: &Config,
        intake: Intake,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            intake,
            health,
            metrics,
            server: config.server.clone(),
            rates: Rates::new(config.server.rate_limit),
            destination: Arc::new(Destination {
                pixel_id: config.tiktok.pixel_id.as_str().to_owned(),
                test_event_code: None,
            }),
            test: config.tiktok.test.clone(),
            country: config.country,
        }
    }

    /// Where events go, live or under a test code.
    pub fn destination(&self, test_event_code: Option<&str>) -> Arc<Destination> {
        match test_event_code {
            None => Arc::clone(&self.destination),
            Some(code) => Arc::new(Destination {
                pixel_id: self.destination.pixel_id.clone(),
                test_event_code: Some(code.to_owned()),
            }),
        }
    }
}
