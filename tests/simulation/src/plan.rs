//! The decisions of a seed before its week begins.

use fastrand::Rng;

/// A minute, in milliseconds.
pub const MINUTE_MS: i64 = 60_000;
/// An hour, in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The time in which faults happen.
pub const WEEK_MS: i64 = 7 * DAY_MS;
/// The time until everything has ended after the last fault. Held events wait for three days, and the last transfer comes
/// four days after its order.
pub const AFTERMATH_MS: i64 = 10 * DAY_MS;

/// The number of actions in a week and of their faults.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Visits in the week.
    pub visits: u32,
    /// Kills, power cuts and failing disks in the week.
    pub crashes: u32,
    /// Periods in which TikTok has trouble.
    pub spells: u32,
    /// The number of lost messages out of 100 on each connection.
    pub loss: u8,
    /// The number of times that the clock is set.
    pub clock_steps: u32,
    /// Whether a process may start while the clock is wrong. Then the time is unknown until TikTok's answer or an hour of
    /// uptime confirms it.
    pub starts_wrong: bool,
    /// The number of attacks.
    pub strangers: u32,
    /// Whether one of the attackers sends a flood of requests.
    pub flood: bool,
    /// Whether the shop wants renewals to be reported.
    pub reports_renewals: bool,
    /// How many pixels the shop reports to.
    pub pixels: usize,
    /// How many proxies share a database. `None` means that one proxy has a folder.
    pub proxies: Option<usize>,
}

impl Plan {
    /// Draws a plan for the week of this seed.
    pub fn draw(seed: u64, rng: &mut Rng) -> Self {
        let plan = Self {
            visits: rng.u32(4..24),
            crashes: rng.u32(0..14),
            spells: rng.u32(0..5),
            loss: [0, 2, 10, 25][rng.usize(..4)],
            clock_steps: if rng.bool() { rng.u32(0..4) } else { 0 },
            starts_wrong: rng.u8(..8) == 0,
            strangers: rng.u32(0..10),
            flood: rng.u8(..16) == 0,
            reports_renewals: rng.bool(),
            pixels: if seed % 3 == 1 { 2 } else { 1 },
            proxies: rng.bool().then(|| rng.usize(1..3)),
        };
        // TikTok states the time only to the proxy that delivers.
        let has_one_clock = plan.proxies.is_none_or(|proxies| proxies == 1);
        Self {
            clock_steps: if has_one_clock { plan.clock_steps } else { 0 },
            ..plan
        }
    }

    /// Returns a plan with the same visitors and attackers, in which nothing fails. There are more visitors, so that shares of
    /// orders have a meaning.
    #[must_use]
    pub fn calm(self) -> Self {
        Self {
            visits: 3 * self.visits,
            crashes: 0,
            spells: 0,
            loss: 0,
            clock_steps: 0,
            starts_wrong: false,
            proxies: None,
            ..self
        }
    }
}
