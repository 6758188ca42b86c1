//! Reads `GET /metrics` as Prometheus does.

use std::collections::BTreeSet;

/// One reading of all counters of the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    families: BTreeSet<(String, String)>,
    series: Vec<(String, String)>,
}

impl Metrics {
    /// Reads the text of the route.
    pub fn read(text: &str) -> Self {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let series = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            families: types
                .filter_map(|line| line.split_once(' ').map(pair))
                .collect(),
            series: series
                .filter_map(|line| line.rsplit_once(' ').map(pair))
                .collect(),
        }
    }

    /// Returns one series by its printed name, such as `duet_events_ended_total{outcome="refused"}`. Returns 0 if it is
    /// missing.
    pub fn count(&self, series: &str) -> i64 {
        self.total(|name| name == series)
    }

    /// Returns the sum of a counter over all its labels.
    pub fn sum(&self, counter: &str) -> i64 {
        self.total(|name| name.split('{').next() == Some(counter))
    }

    /// Returns the two sums of the balance of events, which are equal in every reading. The first sum counts the accepted,
    /// found and replayed events. The second sum counts the ended, pending and held events.
    pub fn balance(&self) -> (i64, i64) {
        let came = self.sum("duet_events_accepted_total")
            + self.count("duet_events_found")
            + self.count("duet_events_replayed_total");
        let went = self.sum("duet_events_ended_total")
            + self.count("duet_queue_events")
            + self.count("duet_events_held");
        (came, went)
    }

    /// Returns the name and the type of every metric family.
    pub fn families(&self) -> &BTreeSet<(String, String)> {
        &self.families
    }

    fn total(&self, is_meant: impl Fn(&str) -> bool) -> i64 {
        let meant = self.series.iter().filter(|(name, _)| is_meant(name));
        meant
            .filter_map(|(_, value)| value.parse::<i64>().ok())
            .sum()
    }
}
