//! The settings for sending events.

use std::{num::NonZeroU32, time::Duration};

use super::{RateLimit, reader::Reader};

/// How many events a request has at first. A lower `DUET_BATCH_EVENTS` lowers this number.
pub const FIRST_EVENTS: usize = 50;
/// How many events about money from one client address are delivered first. Further events of this address are delivered as
/// second class.
pub const FIRST_CLASS: RateLimit = RateLimit {
    most: NonZeroU32::new(30).unwrap(),
    per: Duration::from_mins(1),
};
/// The assumed time that TikTok takes for an answer while TikTok has no trouble.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// The size of the largest event, which is a whole body.
const LARGEST_EVENT_BYTES: usize = 256 * 1024;

/// The settings for sending events.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `DUET_BATCH_EVENTS`: the largest number of events in one request.
    pub batch_events: usize,
    /// `DUET_BATCH_BYTES`: the largest number of bytes of events in one request.
    pub batch_bytes: usize,
    /// `DUET_SEND_PARALLEL`: the largest number of requests of one pixel at once.
    pub parallel: usize,
    /// `DUET_SEND_LIMIT`: the largest number of requests of one pixel in a period of time.
    pub send_limit: Option<RateLimit>,
}

impl Delivery {
    /// Returns how long a burst of events from one address can delay another customer's first-class event, while TikTok
    /// answers. First, one open request must end, and one request of the second class may follow. Then the burst's first-class
    /// events are sent before the other customer's event. Several requests are sent at a time, but not faster than
    /// `DUET_SEND_LIMIT`.
    pub fn first_class_delay(&self, rate_limit: Option<RateLimit>) -> Duration {
        let burst = rate_limit.map_or(u32::MAX, |limit| limit.most.get());
        let events = usize::try_from(burst.min(FIRST_CLASS.most.get())).unwrap_or(usize::MAX);
        let of_this_size = (self.batch_bytes / LARGEST_EVENT_BYTES).max(1);
        let a_request = of_this_size.min(self.batch_events).clamp(1, FIRST_EVENTS);
        let requests = 1 + events.div_ceil(a_request);
        let times = |each: Duration, times: usize| {
            each.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
        };
        let answered = times(ANSWERS_WITHIN, requests.div_ceil(self.parallel.max(1)));
        let allowed = self.send_limit.map_or(Duration::ZERO, |limit| {
            times(limit.per / limit.most.get(), requests + 1)
        });
        ANSWERS_WITHIN + answered.max(allowed)
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Delivery> {
    let number = |text: &str, from, to, rule| {
        let number = text.parse().ok();
        number
            .filter(|number| (from..=to).contains(number))
            .ok_or(rule)
    };
    let batch_events = reader.parsed("DUET_BATCH_EVENTS", |text| {
        number(text, 1, 1000, "must be a number from 1 to 1000")
    });
    let batch_bytes = reader.parsed("DUET_BATCH_BYTES", |text| {
        number(
            text,
            1000,
            5_000_000,
            "must be a number of bytes from 1000 to 5000000",
        )
    });
    let parallel = reader.parsed("DUET_SEND_PARALLEL", |text| {
        number(text, 1, 32, "must be a number from 1 to 32")
    });
    let send_limit = reader.parsed("DUET_SEND_LIMIT", RateLimit::read);
    Some(Delivery {
        batch_events: batch_events?,
        batch_bytes: batch_bytes?,
        parallel: parallel?,
        send_limit: send_limit?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::config::Config;

    #[test]
    fn within_the_defaults_no_burst_delays_anothers_conversion_by_more_than_5_seconds() {
        for (settings, ms) in [
            (&[][..], 4000),
            (&[("DUET_RATE_LIMIT", "off")], 4000),
            (&[("DUET_RATE_LIMIT", "3/1m")], 2000),
            (&[("DUET_SEND_PARALLEL", "16")], 2200),
            (
                &[("DUET_SEND_PARALLEL", "16"), ("DUET_SEND_LIMIT", "off")],
                2000,
            ),
            (&[("DUET_BATCH_BYTES", "5000000")], 2000),
            // The proxy warns about these settings.
            (&[("DUET_SEND_PARALLEL", "1")], 12_000),
            (&[("DUET_SEND_LIMIT", "1/1s")], 13_000),
            (&[("DUET_BATCH_EVENTS", "1")], 9000),
            (&[("DUET_BATCH_BYTES", "1000")], 9000),
        ] {
            let mut map = HashMap::from([
                ("TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
                ("TIKTOK_ACCESS_TOKEN", "token"),
            ]);
            map.extend(settings.iter().copied());
            let config = Config::read(|name| map.get(name).map(|value| (*value).to_owned()));
            let config = config.unwrap();
            let delay = config.delivery.first_class_delay(config.server.rate_limit);
            assert_eq!(delay.as_millis(), ms, "{settings:?}");
        }
    }
}
