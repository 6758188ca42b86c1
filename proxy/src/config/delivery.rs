//! How events are sent on.

use super::{RateLimit, reader::Reader};

/// How events are sent on.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `DUET_BATCH_EVENTS`: the most events of one request.
    pub batch_events: usize,
    /// `DUET_BATCH_BYTES`: the most bytes of events of one request.
    pub batch_bytes: usize,
    /// `DUET_SEND_PARALLEL`: the most requests of one pixel at once.
    pub parallel: usize,
    /// `DUET_SEND_LIMIT`: the most requests of all pixels per time.
    pub send_limit: Option<RateLimit>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Delivery> {
    let number = |text: &str, from, to, rule| {
        let number = text.parse().ok();
        number
            .filter(|number| (from..=to).contains(number))
            .ok_or(rule)
    };
    let batch_events = reader.parsed("DUET_BATCH_EVENTS", |text| {
        number(text, 1, 1000, "this is a number from 1 to 1000")
    });
    let batch_bytes = reader.parsed("DUET_BATCH_BYTES", |text| {
        number(
            text,
            1000,
            5_000_000,
            "this is a number of bytes from 1000 to 5000000",
        )
    });
    let parallel = reader.parsed("DUET_SEND_PARALLEL", |text| {
        number(text, 1, 32, "this is a number from 1 to 32")
    });
    let send_limit = reader.parsed("DUET_SEND_LIMIT", RateLimit::read);
    Some(Delivery {
        batch_events: batch_events?,
        batch_bytes: batch_bytes?,
        parallel: parallel?,
        send_limit: send_limit?,
    })
}
