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

/// Handed to every handler; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Takes events in.
    pub intake: Intake,
    /// What the delivery worker knows.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How requests are taken.
    pub server: Arc<Server>,
    /// How much each client has asked for.
    pub rates: Arc<Rates>,
    /// Where live events go.
    pub destination: Arc<Destination>,
    /// The time in which everything is a test.
    pub test: Option<Arc<TestMode>>,
    /// Where phone numbers without a country code belong.
    pub country: Option<Country>,
}

impl App {
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
            server: Arc::new(config.server.clone()),
            rates: Arc::new(Rates::new(config.server.rate_limit)),
            destination: Arc::new(Destination {
                pixel_id: config.tiktok.pixel_id.as_str().to_owned(),
                test_event_code: None,
            }),
            test: config.tiktok.test.clone().map(Arc::new),
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
