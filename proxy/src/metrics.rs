//! The metrics, in Prometheus' format. `GET /metrics` returns them.

use std::{
    fmt::Write,
    sync::{Mutex, atomic::AtomicBool},
};

use duet_events::Invalid;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::money::{Currency, Kind};

mod balance;
mod pixels;
mod unreported;

/// All metrics of the process. The handlers, the writer and the couriers share them.
pub struct Metrics {
    registry: Registry,
    balance: Mutex<()>,
    /// Events that are on disk, by the state of the Pixel's copy.
    pub accepted: Family<PixelLabel, Counter>,
    /// Repeats of events.
    pub duplicate: Counter,
    /// Events that were rejected, by the first broken rule.
    pub invalid: Family<RuleLabel, Counter>,
    /// Warnings in answers, by rule.
    pub warnings: Family<RuleLabel, Counter>,
    /// Events that the store contained when it was opened. No other metric counts these events as arrived.
    pub found: Gauge,
    /// Dead letters that were put back into the queue.
    pub replayed: Counter,
    /// Accepted events that have ended.
    pub ended: Family<OutcomeLabel, Counter>,
    /// Transfers, by their result.
    pub payments: Family<PaymentLabel, Counter>,
    /// Amounts that were paid or given back for orders, in minor units such as cents.
    pub money: Family<MoneyLabel, Counter>,
    /// Paid orders without any data by which TikTok could match a person.
    pub unattributed: Counter,
    /// Paid orders that were not reported. TikTok does not have their events.
    pub paid_unreported: Gauge,
    /// Whether all orders were counted for `paid_unreported`.
    knows_unreported: AtomicBool,
    /// Events that are held until a payment arrives.
    pub events_held: Gauge,
    /// Requests to TikTok by the code of the answer. The code is `none` if no answer of TikTok arrived.
    pub answers: Family<CodeLabel, Counter>,
    /// The metrics of each pixel.
    pixels: pixels::OfPixels,
    /// Requests to the routes for pages, by status.
    pub requests: Family<StatusLabel, Counter>,
    /// The time from the first byte of a request to its answer.
    pub request_seconds: Histogram,
    /// The time from the acceptance of an event to TikTok's answer. Operators should set an alert above 300 s, because TikTok
    /// merges the two legs only within 5 minutes.
    pub delivery_seconds: Histogram,
    /// Live events that the proxy accepted in time, but that reached TikTok too late to be merged with the Pixel's copy.
    pub merge_window_missed: Counter,
    /// The time of one commit with its fsync.
    pub commit_seconds: Histogram,
    /// The number of events in one request to TikTok.
    pub batch_events: Histogram,
    /// Pending events.
    pub queue_events: Gauge,
    /// How long the oldest event has been pending.
    pub queue_oldest_seconds: Gauge,
    /// Session tokens, by their result.
    pub clerk_sessions: Family<ResultLabel, Counter>,
    /// Requests for Clerk's keys, by their result.
    pub clerk_key_fetches: Family<ResultLabel, Counter>,
    /// 1 while the proxy can store events, and can deliver the events of at least one pixel.
    pub ready: Gauge,
    /// 1 while all events are test events.
    pub test_mode: Gauge,
    /// 1 while the system's clock is suspect.
    pub clock_suspect: Gauge,
}

/// The state of the Pixel's copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PixelLabel {
    /// `fired`, `blocked`, `absent`, `off` or `unknown`.
    pub pixel: &'static str,
}

/// A rule of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RuleLabel {
    /// The rule's name, as in the answer.
    pub rule: String,
}

/// The outcome of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// The name of the outcome.
    pub outcome: &'static str,
}

/// The result of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PaymentLabel {
    /// The payment provider that reported the transfer.
    pub provider: &'static str,
    /// The result of the transfer. For a transfer that is not counted, the reason that the provider's module states. A
    /// transfer with the result `repeat`, `ignored` or `unreadable` is not stored.
    pub became: String,
}

/// The labels of an amount.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MoneyLabel {
    /// The kind of payment: `first`, `renewal`, `refund`, `chargeback` or `void`.
    pub kind: &'static str,
    /// The currency of the amount.
    pub currency: &'static str,
}

/// TikTok's code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabel {
    /// The code as a number, or `none`.
    pub code: String,
}

/// The result of an action.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    /// The result, in one word.
    pub result: &'static str,
}

/// The status of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabel {
    /// The HTTP status.
    pub status: u16,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.0005, 2.0, 18));
        let mut metrics = Self {
            registry: Registry::with_prefix("duet"),
            balance: Mutex::default(),
            accepted: Family::default(),
            duplicate: Counter::default(),
            invalid: Family::default(),
            warnings: Family::default(),
            found: Gauge::default(),
            replayed: Counter::default(),
            ended: Family::default(),
            payments: Family::default(),
            money: Family::default(),
            unattributed: Counter::default(),
            paid_unreported: Gauge::default(),
            knows_unreported: AtomicBool::default(),
            events_held: Gauge::default(),
            answers: Family::default(),
            pixels: pixels::OfPixels::default(),
            requests: Family::default(),
            request_seconds: seconds(),
            // The buckets reach about 37 hours, because an outage can delay events by hours.
            delivery_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 28)),
            merge_window_missed: Counter::default(),
            commit_seconds: seconds(),
            batch_events: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            queue_events: Gauge::default(),
            queue_oldest_seconds: Gauge::default(),
            clerk_sessions: Family::default(),
            clerk_key_fetches: Family::default(),
            ready: Gauge::default(),
            test_mode: Gauge::default(),
            clock_suspect: Gauge::default(),
        };
        // A family without any series would be missing in the text, so `money` gets a first series here.
        metrics.money_in(Kind::First, Currency::VND, 0);
        metrics.register_counts();
        metrics.register_money();
        metrics.register_times();
        metrics.register_states();
        metrics.register_pixels();
        metrics
    }
}

impl Metrics {
    /// Returns the metrics as the text that Prometheus reads.
    pub fn text(&self) -> String {
        let _whole = self.whole();
        let mut text = String::new();
        if text::encode(&mut text, &self.registry).is_err() {
            let _ = write!(text, "# incomplete");
        }
        text
    }

    /// Counts the warnings of an answer.
    pub fn warned(&self, warnings: &[Invalid]) {
        for warning in warnings {
            let rule = warning.rule.to_string();
            self.warnings.get_or_create(&RuleLabel { rule }).inc();
        }
    }

    /// Counts a transfer that a provider reported, by its result.
    pub fn heard_of_payment(&self, provider: &'static str, became: &str) {
        let became = became.to_owned();
        let label = PaymentLabel { provider, became };
        self.payments.get_or_create(&label).inc();
    }

    /// Counts money that moved for orders, in minor units.
    fn money_in(&self, kind: Kind, currency: Currency, minor: u64) {
        let label = MoneyLabel {
            kind: kind.label(),
            currency: currency.as_str(),
        };
        self.money.get_or_create(&label).inc_by(minor);
    }

    /// Counts a request to TikTok with this number of events.
    pub fn sending(&self, events: usize) {
        #[allow(clippy::cast_precision_loss, reason = "at most 1000")]
        self.batch_events.observe(events as f64);
    }

    /// Counts the answer to a request with events of this pixel. `None` means that no answer of TikTok arrived.
    pub fn answered(&self, pixel_id: &str, code: Option<i64>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.pixels.answered(pixel_id, &code);
        self.answers.get_or_create(&CodeLabel { code }).inc();
    }

    /// Records how many milliseconds each accepted event had waited until TikTok's answer.
    pub fn delivered(&self, waited_ms: impl Iterator<Item = i64>) {
        for waited_ms in waited_ms {
            #[allow(
                clippy::cast_precision_loss,
                reason = "a week in milliseconds is far below 2^52"
            )]
            let seconds = waited_ms.max(0) as f64 / 1000.0;
            self.delivery_seconds.observe(seconds);
        }
    }

    fn register_money(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "payments",
            "Transfers that payment providers reported",
            self.payments.clone(),
        );
        registry.register(
            "money_minor_units",
            "Amounts paid or given back for orders, in minor units: cents of USD, whole VND",
            self.money.clone(),
        );
        registry.register(
            "payments_unattributed",
            "Paid orders without any data by which TikTok could match a person",
            self.unattributed.clone(),
        );
        registry.register(
            "paid_unreported",
            "Paid orders that were not reported to TikTok",
            self.paid_unreported.clone(),
        );
        registry.register(
            "events_held",
            "Events held until a payment arrives",
            self.events_held.clone(),
        );
    }

    fn register_counts(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "events_accepted",
            "Accepted events, which are on disk",
            self.accepted.clone(),
        );
        registry.register(
            "events_duplicate",
            "Repeats of events that were accepted before",
            self.duplicate.clone(),
        );
        registry.register("events_invalid", "Rejected events", self.invalid.clone());
        registry.register(
            "warnings",
            "Fields that were repaired, left out or look wrong, by rule",
            self.warnings.clone(),
        );
        registry.register(
            "events_found",
            "Events that the store contained when it was opened",
            self.found.clone(),
        );
        registry.register(
            "events_replayed",
            "Dead letters that were put back into the queue",
            self.replayed.clone(),
        );
        registry.register(
            "events_ended",
            "Accepted events that have ended, by outcome",
            self.ended.clone(),
        );
        registry.register(
            "tiktok_answers",
            "Answers from TikTok, by code",
            self.answers.clone(),
        );
        registry.register(
            "requests",
            "Requests to the track route",
            self.requests.clone(),
        );
        registry.register(
            "merge_window_missed",
            "Events that reached the proxy within 5 minutes after they happened, but TikTok only later",
            self.merge_window_missed.clone(),
        );
    }

    fn register_times(&mut self) {
        let registry = &mut self.registry;
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "request",
            "Time from the first byte of a request to its answer",
            seconds.clone(),
            self.request_seconds.clone(),
        );
        registry.register_with_unit(
            "delivery",
            "Time from the acceptance of an event to TikTok's answer",
            seconds.clone(),
            self.delivery_seconds.clone(),
        );
        registry.register_with_unit(
            "commit",
            "Duration of one commit with its fsync",
            seconds,
            self.commit_seconds.clone(),
        );
    }

    fn register_states(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "batch_events",
            "Events in one request to TikTok",
            self.batch_events.clone(),
        );
        registry.register("queue_events", "Pending events", self.queue_events.clone());
        registry.register_with_unit(
            "queue_oldest",
            "Age of the oldest pending event",
            Unit::Seconds,
            self.queue_oldest_seconds.clone(),
        );
        registry.register(
            "clerk_sessions",
            "Session tokens of Clerk, by result",
            self.clerk_sessions.clone(),
        );
        registry.register(
            "clerk_key_fetches",
            "Requests for Clerk's public keys, by result",
            self.clerk_key_fetches.clone(),
        );
        registry.register(
            "ready",
            "1 while the proxy can store events, and can deliver the events of at least one pixel",
            self.ready.clone(),
        );
        registry.register(
            "test_mode",
            "1 while all events are test events",
            self.test_mode.clone(),
        );
        registry.register(
            "clock_suspect",
            "1 while the system's clock is wrong or not confirmed",
            self.clock_suspect.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_printed_with_its_help() {
        let metrics = Metrics::default();
        metrics
            .accepted
            .get_or_create(&PixelLabel { pixel: "fired" })
            .inc();
        metrics.delivery_seconds.observe(1.5);
        let text = metrics.text();
        for line in [
            "duet_events_accepted_total{pixel=\"fired\"} 1",
            "duet_delivery_seconds_count 1",
            "duet_queue_events 0",
            "# HELP duet_commit_seconds Duration of one commit with its fsync.",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
