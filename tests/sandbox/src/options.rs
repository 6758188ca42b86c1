//! What a sandbox knows and how strict it is; fixed when it starts.

use std::time::Duration;

use crate::{BankOptions, Clock};

/// A pixel and the token that may send events to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixel {
    /// The pixel code, such as `CDUETSANDBOX00000001`.
    pub code: String,
    /// The access token that owns this pixel. Several pixels may share one.
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

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The pixels it knows. Default: one, [`Pixel::default`].
    pub pixels: Vec<Pixel>,
    /// Whether a violation in an event makes the Events API answer 40002. Default: true.
    /// Warnings never do, and plainly invalid fields always do.
    pub strict: bool,
    /// Whether deduplication compares event names letter by letter, so that `CompletePayment` and
    /// `Purchase` are two events. Default: false, the canonical names are compared.
    pub literal_names: bool,
    /// The deduplication windows.
    pub windows: Windows,
    /// What is kept, and what is refused for its size or rate.
    pub limits: Limits,
    /// What the bank knows of the shop's webhook.
    pub bank: BankOptions,
    /// Where the time comes from. Default: the machine's clock.
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

/// The windows of deduplication, measured from the first receipt of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How long a key stays taken. Default: 48 hours.
    pub dedup: Duration,
    /// How long the other channel's copy is merged instead of dropped. Default: 5 minutes.
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

/// Bounds on memory and on what is accepted. The oldest entries go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conversions kept. Default: 100,000. A key whose conversion is gone is forgotten too.
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
    /// Events API requests allowed per second and token before 40100. Default: no limit.
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
