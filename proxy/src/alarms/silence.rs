//! Computes for how long each payment webhook has reported no payment, and the longest time between two of its earlier
//! payments.

use std::collections::BTreeMap;

use super::facts::Webhook;

/// The period before the last payment in which gaps between payments count.
const GAPS_WITHIN_MS: i64 = 14 * 24 * 60 * 60 * 1000;

/// Returns the state of a webhook. `gap` is the time of its last payment and the longest gap, if there is a payment.
pub fn webhook(
    provider: &'static str,
    gap: Option<&(i64, i64)>,
    confirmed_ms: Option<i64>,
) -> Webhook {
    let (last_ms, longest_gap_ms) = gap.copied().unzip();
    Webhook {
        provider,
        silent_ms: confirmed_ms.zip(last_ms).map(|(now_ms, at)| now_ms - at),
        longest_gap_ms: longest_gap_ms.unwrap_or_default(),
    }
}

/// Returns for each provider when its last payment was reported, and the longest time between two payments in the 14 days
/// before this last payment. The longest time is 0 if there was only one payment. Each element of `payments` is a
/// provider and the time of one of its payments.
pub fn gaps<'a>(payments: impl Iterator<Item = (&'a str, i64)>) -> BTreeMap<String, (i64, i64)> {
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (provider, at_ms) in payments {
        times.entry(provider).or_default().push(at_ms);
    }
    let gaps = times.into_iter().filter_map(|(provider, mut times)| {
        times.sort_unstable();
        let last_ms = *times.last()?;
        times.retain(|at_ms| last_ms - at_ms <= GAPS_WITHIN_MS);
        let between = times.windows(2).map(|pair| match pair {
            [before, after] => after - before,
            _ => 0,
        });
        Some((provider.to_owned(), (last_ms, between.max().unwrap_or(0))))
    });
    gaps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_those_of_14_days_before_the_last_payment() {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let payments = [
            ("sepay", 40 * DAY),
            ("sepay", 2 * DAY),
            ("sepay", 30 * DAY),
            ("sepay", 37 * DAY),
            ("stripe", 5 * DAY),
        ];
        let gaps = gaps(payments.into_iter());
        assert_eq!(gaps["sepay"], (40 * DAY, 7 * DAY));
        assert_eq!(gaps["stripe"], (5 * DAY, 0));
    }
}
