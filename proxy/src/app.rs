//! The data that all handlers share.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use duet_events::Country;

use crate::{
    admit::MoneyEvents,
    clicks::Clicks,
    config::{Config, FIRST_CLASS, RateLimit, Server, payments::Payments},
    health::Health,
    identity::clerk::Clerk,
    metrics::Metrics,
    pixels::Pixels,
    queue::Intake,
    rates::Rates,
    recent::Recent,
};

/// How often one client can ask for orders whose ids can be guessed, or send a wrong key. No setting disables this limit.
const GUESSES: RateLimit = RateLimit {
    most: NonZeroU32::new(30).unwrap(),
    per: Duration::from_mins(1),
};

/// The shared data, as every handler receives it.
pub type App = Arc<Shared>;

/// The data that all handlers share.
pub struct Shared {
    /// Accepts events into the queue.
    pub intake: Intake,
    /// The state of delivery, for the health routes.
    pub health: Arc<Health>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// The settings for incoming requests.
    pub server: Server,
    /// Counts the events of each client.
    pub rates: Rates,
    /// Counts the events about money of each client. Up to a limit, these events are first class: they are delivered
    /// before others.
    pub first_class: Rates,
    /// Counts the requests of each client for the status of orders.
    pub status_rates: Rates,
    /// Limits how often one client can ask for orders whose ids can be guessed.
    pub guesses: Rates,
    /// Limits how often one client can send a wrong key.
    pub key_guesses: Rates,
    /// The click ids that the proxy has set in browsers' cookies.
    pub clicks: Clicks,
    /// Whether the proxy accepts a payment that only a page reports.
    pub money: MoneyEvents,
    /// The payment providers. `None` if none is set up.
    pub payments: Option<Payments>,
    /// The pixels that receive the events.
    pub pixels: Arc<Pixels>,
    /// The country of phone numbers without a country code.
    pub country: Option<Country>,
    /// Remembers recent requests that leave nothing in the store.
    pub recent: Recent,
    /// Verifies who is signed in. `None` if Clerk is not set up.
    pub clerk: Option<Arc<Clerk>>,
}

impl Shared {
    /// Collects what handlers need from `config`, and the queue that they fill.
    pub fn new(
        config: &Config,
        pixels: Arc<Pixels>,
        intake: Intake,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        clerk: Option<Arc<Clerk>>,
    ) -> Self {
        Self {
            intake,
            health,
            metrics,
            server: config.server.clone(),
            rates: Rates::new(config.server.rate_limit),
            first_class: Rates::new(Some(FIRST_CLASS)),
            status_rates: Rates::new(config.server.rate_limit),
            guesses: Rates::new(Some(GUESSES)),
            key_guesses: Rates::new(Some(GUESSES)),
            clicks: Clicks::default(),
            money: config.money,
            payments: config.payments.clone(),
            pixels,
            country: config.country,
            recent: Recent::default(),
            clerk,
        }
    }
}
