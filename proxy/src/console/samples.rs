//! The metrics over the last hour: one sample a minute, from the text that Prometheus reads.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use maud::{Markup, html};
use serde::Serialize;

use super::{show, view::View};
use crate::metrics::Metrics;

/// How often the metrics are read.
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// How many readings there are in a minute.
const READINGS: u32 = 12;
/// How many minutes are shown.
const MINUTES: usize = 60;
/// The quantiles that are shown.
const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The histograms of the metrics that are shown, by their name in the metrics.
const TIMES: [&str; 3] = ["request", "delivery", "commit"];

/// The samples of the last hour.
#[derive(Default)]
pub(super) struct Samples(Mutex<State>);

#[derive(Default)]
struct State {
    /// The sample at the end of each minute, the newest last.
    minutes: VecDeque<Sample>,
    latest: Sample,
    readings: u32,
}

/// One reading of the metrics.
#[derive(Clone, Debug, Default)]
struct Sample {
    accepted: u64,
    delivered: u64,
    refused: u64,
    /// The payment providers that have sent a notification since the start.
    providers: BTreeSet<String>,
    /// The buckets of each histogram: the upper bound and the number of values up to it.
    buckets: BTreeMap<&'static str, Vec<(f64, u64)>>,
}

/// Events per minute, the newest minute last.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Rates {
    accepted: Vec<u64>,
    delivered: Vec<u64>,
    refused: Vec<u64>,
}

/// The 50th, 95th and 99th percentile, in seconds. Each is the upper bound of the bucket that contains the percentile. `None`
/// if there was no value.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Quantiles([Option<f64>; 3]);

impl Samples {
    /// Reads the metrics.
    pub(super) fn take(&self, metrics: &Metrics) {
        let sample = Sample::read(&metrics.text());
        let mut state = self.lock();
        if state.readings == 0 {
            // The first sample is the beginning of the first minute.
            state.minutes.push_back(sample.clone());
        }
        state.readings += 1;
        if state.readings > READINGS {
            state.readings = 1;
            state.minutes.push_back(sample.clone());
            if state.minutes.len() > MINUTES {
                state.minutes.pop_front();
            }
        }
        state.latest = sample;
    }

    /// Returns the rates and the times of the last hour.
    pub(super) fn read(&self) -> (Rates, BTreeMap<&'static str, Quantiles>) {
        let state = self.lock();
        let samples: Vec<_> = state.minutes.iter().chain([&state.latest]).collect();
        let per_minute = |of: fn(&Sample) -> u64| {
            let pairs = samples.iter().zip(samples.iter().skip(1));
            pairs
                .map(|(before, after)| of(after).saturating_sub(of(before)))
                .collect()
        };
        let rates = Rates {
            accepted: per_minute(|sample| sample.accepted),
            delivered: per_minute(|sample| sample.delivered),
            refused: per_minute(|sample| sample.refused),
        };
        let nothing = Sample::default();
        let first = state.minutes.front().unwrap_or(&nothing);
        let times = TIMES.map(|name| (name, Quantiles::of(name, first, &state.latest)));
        (rates, times.into())
    }

    /// Returns whether a notification of this payment provider has arrived since the start.
    pub(super) fn has_heard_of(&self, provider: &str) -> bool {
        self.lock().latest.providers.contains(provider)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sample {
    fn read(text: &str) -> Self {
        let mut sample = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix("duet_")) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let count = || value.parse().unwrap_or(0);
            match name {
                "events_accepted_total" => sample.accepted += count(),
                "events_ended_total" if labels.contains("\"delivered") => {
                    sample.delivered += count();
                }
                "events_ended_total" if labels.contains("\"refused") => sample.refused += count(),
                "payments_total" => {
                    let provider = labels.split('"').nth(1);
                    sample.providers.extend(provider.map(str::to_owned));
                }
                _ => {}
            }
            let of = |known: &&str| name.strip_suffix("_seconds_bucket") == Some(known);
            if let Some(known) = TIMES.into_iter().find(|known| of(known)) {
                let bound = labels.split('"').nth(1).unwrap_or_default();
                let bound = bound.parse().unwrap_or(f64::INFINITY);
                let buckets = sample.buckets.entry(known).or_default();
                buckets.push((bound, count()));
            }
        }
        sample
    }
}

impl Quantiles {
    /// Returns the quantiles of the values between two samples.
    fn of(name: &str, first: &Sample, last: &Sample) -> Self {
        let none = Vec::new();
        let before = first.buckets.get(name).unwrap_or(&none);
        let after = last.buckets.get(name).unwrap_or(&none);
        let counts: Vec<_> = after
            .iter()
            .enumerate()
            .map(|(index, (bound, count))| {
                let earlier = before.get(index).map_or(0, |(_, count)| *count);
                (*bound, count.saturating_sub(earlier))
            })
            .collect();
        let all = counts.last().map_or(0, |(_, count)| *count);
        Self(QUANTILES.map(|quantile| {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
            let reaches = |count: u64| count as f64 >= quantile * all as f64;
            let mut counts = counts.iter();
            let (bound, _) = counts.find(|(_, count)| all > 0 && reaches(*count))?;
            bound.is_finite().then_some(*bound)
        }))
    }

    /// Returns one quantile for a table.
    pub(super) fn cell(&self, index: usize) -> Markup {
        let bound = self.0.get(index).copied().flatten();
        let text = bound.map(|seconds| {
            if seconds < 1.0 {
                format!("≤ {:.0} ms", (seconds * 1000.0).max(1.0))
            } else {
                format!("≤ {seconds:.0} s")
            }
        });
        html! { (text.as_deref().unwrap_or("–")) }
    }
}

impl Rates {
    /// Returns a chart of each rate. The newest value is text beside the chart.
    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        html! {
            (chart(texts.accepted_rate, &self.accepted, view))
            (chart(texts.delivered_rate, &self.delivered, view))
            (chart(texts.refused_rate, &self.refused, view))
        }
    }
}

/// Returns a chart of at most 60 points. Its scale and the newest value are text.
fn chart(title: &str, values: &[u64], view: &View) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let points: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let x = 2 * (MINUTES - values.len().min(MINUTES) + index);
            format!("{x},{}", 30 - value * 28 / most)
        })
        .collect();
    let last = values.last().copied().unwrap_or(0);
    let texts = view.texts();
    let largest = values.iter().copied().max().unwrap_or(0);
    let largest = texts
        .largest
        .replace("{number}", &show::count(largest, view.language));
    html! {
        figure {
            figcaption { (title) ": " strong { (show::count(last, view.language)) } " " (texts.in_this_minute) }
            svg viewBox="0 0 120 32" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                polyline points=(points.join(" ")) {}
            }
            p.scale { span { (texts.hour_ago) } " " span { (largest) } " " span { (texts.now) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::PixelLabel;

    #[test]
    fn rates_are_differences_of_minutes() {
        let (samples, metrics) = (Samples::default(), Metrics::default());
        samples.take(&metrics);
        let accepted = metrics
            .accepted
            .get_or_create(&PixelLabel { pixel: "fired" });
        for _ in 0..READINGS {
            accepted.inc_by(5);
            samples.take(&metrics);
        }
        drop(accepted);
        assert_eq!(samples.read().0.accepted, [60, 0]);
        metrics.settled("P", "delivered", 1);
        let counts = || {
            metrics
                .accepted
                .get_or_create(&PixelLabel { pixel: "off" })
                .inc_by(7)
        };
        counts();
        samples.take(&metrics);
        let (rates, _) = samples.read();
        assert_eq!((rates.accepted, rates.delivered), (vec![60, 7], vec![0, 0]));
    }

    #[test]
    fn a_provider_is_heard_of_after_its_first_notification() {
        let (samples, metrics) = (Samples::default(), Metrics::default());
        samples.take(&metrics);
        assert!(!samples.has_heard_of("sepay"));
        metrics.heard_of_payment("sepay", "unmatched");
        samples.take(&metrics);
        assert!(samples.has_heard_of("sepay") && !samples.has_heard_of("stripe"));
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let (samples, metrics) = (Samples::default(), Metrics::default());
        metrics.commit_seconds.observe(100.0);
        samples.take(&metrics);
        let (_, times) = samples.read();
        assert_eq!(times["commit"].0, [None; 3]);
        for _ in 0..99 {
            metrics.commit_seconds.observe(0.0004);
        }
        metrics.commit_seconds.observe(0.9);
        samples.take(&metrics);
        let (_, times) = samples.read();
        assert_eq!(
            times["commit"].0,
            [Some(0.0005), Some(0.0005), Some(0.0005)]
        );
        metrics.commit_seconds.observe(0.9);
        samples.take(&metrics);
        let (_, times) = samples.read();
        assert_eq!(times["commit"].0[2], Some(1.024));
        assert_eq!(times["commit"].cell(0).into_string(), "≤ 1 ms");
        assert_eq!(times["commit"].cell(2).into_string(), "≤ 1 s");
    }
}
