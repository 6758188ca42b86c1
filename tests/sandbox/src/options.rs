//! The settings of a sandbox. The settings cannot change after the start.

use std::time::Duration;

use crate::{BankOptions, Clock};

/// A pixel, and the access token that can send events to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixel {
    /// The pixel code, such as `CDUETSANDBOX00000001`.
    pub code: String,
    /// The access token of this pixel. Several pixels can share a token.
    pub access_token: String,
}

impl Default for Pixel {
    fn default() -> Self {
        Self {
            code: "CDUETSANDBOX00000001".to_owned(),
            access_token: "sandbox-token".to_owned(),
        }
    }
}

/// The settings of a sandbox.
#[derive(Clone, Debug)]
pub struct Options {
    /// The known pixels. Default: one, [`Pixel::default`].
    pub pixels: Vec<Pixel>,
    /// Whether the Events API answers 40002 to an event with a violation. Default: true. In both cases, it answers 40002 to
    /// an event with an invalid field, and a warning never changes the answer.
    pub strict: bool,
    /// Whether deduplication compares event names letter by letter, so that `CompletePayment` and `Purchase` are two
    /// events. Default: false. Then deduplication compares the names under which events are counted.
    pub literal_names: bool,
    /// The deduplication windows.
    pub windows: Windows,
    /// Limits of memory, size and rate.
    pub limits: Limits,
    /// The bank's settings.
    pub bank: BankOptions,
    /// The source of time. Default: the machine's clock.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pixels: vec![Pixel::default()],
            strict: true,
            literal_names: false,
            windows: Windows::default(),
            limits: Limits::default(),
            bank: BankOptions::default(),
            clock: Clock::default(),
        }
    }
}

/// The time windows of deduplication. Each window begins at the first receipt of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How long a key is used for deduplication. Default: 48 hours.
    pub dedup: Duration,
    /// How long the other channel's copy is merged. After this time, the copy is dropped. Default: 5 minutes.
    pub merge: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            dedup: Duration::from_hours(48),
            merge: Duration::from_mins(5),
        }
    }
}

/// Limits of memory and of accepted requests. When a limit is reached, the oldest entry is removed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Stored conversions. Default: 100,000. When a conversion is removed, its key is removed too.
    pub conversions: usize,
    /// Events kept for each test event code. Default: 1,000.
    pub test_events: usize,
    /// Test event codes kept. Default: 100.
    pub test_codes: usize,
    /// Events API requests kept. Default: 1,000.
    pub requests: usize,
    /// Bytes of request bodies kept, over all requests. Default: 16 MiB.
    pub request_bytes: usize,
    /// Violations kept. Default: 10,000.
    pub violations: usize,
    /// Largest body accepted by the Events API. Default: 5 MiB.
    pub body_bytes: usize,
    /// The number of Events API requests per second and token. Further requests are answered with 40100. Default: no limit.
    pub requests_per_second: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            conversions: 100_000,
            test_events: 1_000,
            test_codes: 100,
            requests: 1_000,
            request_bytes: 16 * 1024 * 1024,
            violations: 10_000,
            body_bytes: 5 * 1024 * 1024,
            requests_per_second: None,
        }
    }
}
