//! The metrics of each pixel, with its code as a label.

use std::collections::BTreeMap;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Unit,
};

use super::Metrics;

/// The metrics of each pixel.
#[derive(Default)]
pub(super) struct OfPixels {
    answers: Family<AnswerLabel, Counter>,
    settled: Family<EndLabel, Counter>,
    queue_events: Family<CodeLabel, Gauge>,
    queue_oldest_seconds: Family<CodeLabel, Gauge>,
    ready: Family<CodeLabel, Gauge>,
}

/// The label of a pixel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    /// The pixel code.
    pixel: String,
}

/// The labels of TikTok's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabel {
    pixel: String,
    /// TikTok's code, or `none`.
    code: String,
}

/// The labels of the outcome of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabel {
    pixel: String,
    outcome: &'static str,
}

impl OfPixels {
    pub(super) fn answered(&self, pixel_id: &str, code: &str) {
        let (pixel, code) = (pixel_id.to_owned(), code.to_owned());
        let label = AnswerLabel { pixel, code };
        self.answers.get_or_create(&label).inc();
    }
}

impl Metrics {
    /// Counts settled events of this pixel.
    pub fn settled(&self, pixel_id: &str, outcome: &'static str, events: u64) {
        let pixel = pixel_id.to_owned();
        let label = EndLabel { pixel, outcome };
        self.pixels.settled.get_or_create(&label).inc_by(events);
    }

    /// Returns how many events TikTok has accepted for this pixel since the start.
    pub fn delivered_to(&self, pixel_id: &str) -> u64 {
        let settled = |outcome| {
            let pixel = pixel_id.to_owned();
            let events = self.pixels.settled.get(&EndLabel { pixel, outcome });
            events.map_or(0, |events| events.get())
        };
        settled("delivered") + settled("delivered_with_warning")
    }

    /// Returns how many events of this pixel were pending after the last commit.
    pub fn queued_for(&self, pixel_id: &str) -> i64 {
        let pixel = pixel_id.to_owned();
        let events = self.pixels.queue_events.get(&CodeLabel { pixel });
        events.map_or(0, |events| events.get())
    }

    /// Sets the number of pending events of each pixel.
    pub fn pixels_queue(&self, waiting: &BTreeMap<&str, u64>) {
        for (pixel_id, events) in waiting {
            let events = i64::try_from(*events).unwrap_or(i64::MAX);
            set(&self.pixels.queue_events, pixel_id, events);
        }
    }

    /// Sets how long the oldest event of each pixel has been pending.
    pub fn pixels_oldest(&self, seconds: impl Iterator<Item = (String, i64)>) {
        for (pixel_id, seconds) in seconds {
            set(&self.pixels.queue_oldest_seconds, &pixel_id, seconds);
        }
    }

    /// Sets whether each pixel's events are delivered. Removes the metric of every pixel that is not in `ready`.
    pub fn pixels_ready<'a>(&self, ready: impl Iterator<Item = (&'a String, bool)>) {
        self.pixels.ready.clear();
        for (pixel_id, is_ready) in ready {
            set(&self.pixels.ready, pixel_id, i64::from(is_ready));
        }
    }

    pub(super) fn register_pixels(&mut self) {
        let registry = self.registry.sub_registry_with_prefix("pixel");
        registry.register(
            "answers",
            "Answers from TikTok to the requests of each pixel",
            self.pixels.answers.clone(),
        );
        registry.register(
            "events_settled",
            "Events of each pixel that have ended after they were in its queue",
            self.pixels.settled.clone(),
        );
        registry.register(
            "queue_events",
            "Pending events of each pixel",
            self.pixels.queue_events.clone(),
        );
        registry.register_with_unit(
            "queue_oldest",
            "Age of the oldest pending event of each pixel",
            Unit::Seconds,
            self.pixels.queue_oldest_seconds.clone(),
        );
        registry.register(
            "ready",
            "1 while the events of the pixel are delivered",
            self.pixels.ready.clone(),
        );
    }
}

fn set(family: &Family<CodeLabel, Gauge>, pixel_id: &str, value: i64) {
    let pixel = pixel_id.to_owned();
    family.get_or_create(&CodeLabel { pixel }).set(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_is_counted_under_its_code() {
        let metrics = Metrics::default();
        metrics.answered("P", Some(0));
        metrics.answered("Q", None);
        metrics.settled("P", "delivered", 3);
        metrics.pixels_queue(&BTreeMap::from([("P", 6), ("Q", 1)]));
        metrics.pixels_oldest([("Q".to_owned(), 7)].into_iter());
        metrics.pixels_ready([(&"gone".to_owned(), true)].into_iter());
        metrics.pixels_ready([(&"P".to_owned(), true), (&"Q".to_owned(), false)].into_iter());
        let text = metrics.text();
        for line in [
            "duet_pixel_answers_total{pixel=\"P\",code=\"0\"} 1",
            "duet_pixel_answers_total{pixel=\"Q\",code=\"none\"} 1",
            "duet_pixel_events_settled_total{pixel=\"P\",outcome=\"delivered\"} 3",
            "duet_pixel_queue_events{pixel=\"P\"} 6",
            "duet_pixel_queue_events{pixel=\"Q\"} 1",
            "duet_pixel_queue_oldest_seconds{pixel=\"Q\"} 7",
            "duet_pixel_ready{pixel=\"Q\"} 0",
            "duet_tiktok_answers_total{code=\"none\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("gone"));
    }
}
