//! What is counted, in Prometheus' words. `GET /metrics` prints it.

use std::{fmt::Write, sync::Mutex};

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

mod balance;

/// Everything that is counted. Handlers, the writer and the worker share one.
pub struct Metrics {
    registry: Registry,
    balance: Mutex<()>,
    /// Events that are on disk, by what became of the Pixel's copy.
    pub accepted: Family<PixelLabel, Counter>,
    /// Repeats.
    pub duplicate: Counter,
    /// Events that were not taken, by the first rule they broke.
    pub invalid: Family<RuleLabel, Counter>,
    /// Warnings in answers, by rule.
    pub warnings: Family<RuleLabel, Counter>,
    /// Events that the store contained when it was opened, and that nothing else counts.
    pub found: Gauge,
    /// Dead letters that were put back.
    pub replayed: Counter,
    /// Accepted events that came to their end.
    pub ended: Family<OutcomeLabel, Counter>,
    /// Transfers by what became of them.
    pub payments: Family<PaymentLabel, Counter>,
    /// Paid orders of which nothing is known that TikTok could match with anybody.
    pub unattributed: Counter,
    /// Paid orders that report nothing: TikTok does not have their events.
    pub paid_unreported: Gauge,
    /// Events that wait for a payment.
    pub events_held: Gauge,
    /// Answers of TikTok by code; `none` where no verdict came.
    pub answers: Family<CodeLabel, Counter>,
    /// Requests by route and status.
    pub requests: Family<StatusLabel, Counter>,
    /// From the first byte of a request to its answer.
    pub request_seconds: Histogram,
    /// From acceptance to TikTok's answer. Alert past 300: TikTok merges the two legs for 5 minutes.
    pub delivery_seconds: Histogram,
    /// Live events that TikTok got after it had stopped to merge the two legs.
    pub merge_window_missed: Counter,
    /// One commit with its fsync.
    pub commit_seconds: Histogram,
    /// Events in one request to TikTok.
    pub batch_events: Histogram,
    /// Events that wait.
    pub queue_events: Gauge,
    /// How long the oldest event has been waiting.
    pub queue_oldest_seconds: Gauge,
    /// Session tokens that came, by what became of them.
    pub clerk_sessions: Family<ResultLabel, Counter>,
    /// Questions for Clerk's keys.
    pub clerk_key_fetches: Family<ResultLabel, Counter>,
    /// 1 while the proxy can do its work.
    pub ready: Gauge,
    /// 1 while all traffic is test traffic.
    pub test_mode: Gauge,
    /// 1 while the system's clock is suspect.
    pub clock_suspect: Gauge,
}

/// What became of the Pixel's copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PixelLabel {
    /// `fired`, `blocked`, `absent`, `off` or `unknown`.
    pub pixel: &'static str,
}

/// A rule of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RuleLabel {
    /// As in the answer.
    pub rule: String,
}

/// An event's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// As in the closed list.
    pub outcome: &'static str,
}

/// A transfer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PaymentLabel {
    /// Who said that it came.
    pub provider: &'static str,
    /// What became of it, or its provider's word; `repeat` and `ignored` are not on record.
    pub became: String,
}

/// TikTok's code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CodeLabel {
    /// The number, or `none`.
    pub code: String,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    /// One word.
    pub result: &'static str,
}

/// How a request was answered.
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
            unattributed: Counter::default(),
            paid_unreported: Gauge::default(),
            events_held: Gauge::default(),
            answers: Family::default(),
            requests: Family::default(),
            request_seconds: seconds(),
            // To about 72 hours: an outage is part of it.
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
        metrics.register_counts();
        metrics.register_money();
        metrics.register_times();
        metrics.register_states();
        metrics
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let _whole = self.whole();
        let mut text = String::new();
        if text::encode(&mut text, &self.registry).is_err() {
            let _ = write!(text, "# incomplete");
        }
        text
    }

    /// An answer says what was repaired, left out or looks odd.
    pub fn warned(&self, warnings: &[Invalid]) {
        for warning in warnings {
            let rule = warning.rule.to_string();
            self.warnings.get_or_create(&RuleLabel { rule }).inc();
        }
    }

    /// A provider told of a transfer, and this became of it.
    pub fn heard_of_payment(&self, provider: &'static str, became: &str) {
        let became = became.to_owned();
        let label = PaymentLabel { provider, became };
        self.payments.get_or_create(&label).inc();
    }

    /// A request with so many events is sent to TikTok.
    pub fn sending(&self, events: usize) {
        #[allow(clippy::cast_precision_loss, reason = "at most 1000")]
        self.batch_events.observe(events as f64);
    }

    /// TikTok answered with this code, or with none.
    pub fn answered(&self, code: Option<i64>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.answers.get_or_create(&CodeLabel { code }).inc();
    }

    /// TikTok took events, so many milliseconds after they were accepted.
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
            "Transfers that providers told of",
            self.payments.clone(),
        );
        registry.register(
            "payments_unattributed",
            "Paid orders of which nothing is known that could be matched",
            self.unattributed.clone(),
        );
        registry.register(
            "paid_unreported",
            "Paid orders that report nothing",
            self.paid_unreported.clone(),
        );
        registry.register(
            "events_held",
            "Events that wait for a payment",
            self.events_held.clone(),
        );
    }

    fn register_counts(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "events_accepted",
            "Events that are on disk",
            self.accepted.clone(),
        );
        registry.register(
            "events_duplicate",
            "Events that were accepted before",
            self.duplicate.clone(),
        );
        registry.register(
            "events_invalid",
            "Events that were not taken",
            self.invalid.clone(),
        );
        registry.register(
            "warnings",
            "Fields that were repaired, left out or look odd, by rule",
            self.warnings.clone(),
        );
        registry.register(
            "events_found",
            "Events that the store contained when it was opened",
            self.found.clone(),
        );
        registry.register(
            "events_replayed",
            "Dead letters that were put back",
            self.replayed.clone(),
        );
        registry.register(
            "events_ended",
            "Accepted events that came to an end",
            self.ended.clone(),
        );
        registry.register("tiktok_answers", "Answers of TikTok", self.answers.clone());
        registry.register(
            "requests",
            "Requests to the track route",
            self.requests.clone(),
        );
        registry.register(
            "merge_window_missed",
            "Live events that reached TikTok more than 5 minutes after they happened",
            self.merge_window_missed.clone(),
        );
    }

    fn register_times(&mut self) {
        let registry = &mut self.registry;
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "request",
            "To the answer of a request",
            seconds.clone(),
            self.request_seconds.clone(),
        );
        registry.register_with_unit(
            "delivery",
            "From acceptance to TikTok",
            seconds.clone(),
            self.delivery_seconds.clone(),
        );
        registry.register_with_unit(
            "commit",
            "One commit with its fsync",
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
        registry.register(
            "queue_events",
            "Events that wait",
            self.queue_events.clone(),
        );
        registry.register_with_unit(
            "queue_oldest",
            "Age of the oldest waiting event",
            Unit::Seconds,
            self.queue_oldest_seconds.clone(),
        );
        registry.register(
            "clerk_sessions",
            "Session tokens of Clerk, by what became of them",
            self.clerk_sessions.clone(),
        );
        registry.register(
            "clerk_key_fetches",
            "Questions for Clerk's public keys",
            self.clerk_key_fetches.clone(),
        );
        registry.register(
            "ready",
            "1 while the proxy can do its work",
            self.ready.clone(),
        );
        registry.register(
            "test_mode",
            "1 while all traffic is test traffic",
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
            "# HELP duet_commit_seconds One commit with its fsync.",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
