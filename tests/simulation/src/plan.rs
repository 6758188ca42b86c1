//! What a seed decides before its week begins.

use fastrand::Rng;

/// A minute, in milliseconds.
pub const MINUTE_MS: i64 = 60_000;
/// An hour, in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The time in which faults happen.
pub const WEEK_MS: i64 = 7 * DAY_MS;
/// The time after the week, in which no faults happen and everything must end. Held events wait for three days, and the
/// last transfer comes four days after its order.
pub const AFTERMATH_MS: i64 = 10 * DAY_MS;

/// How many actions and faults a week has.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Visits in the week.
    pub visits: u32,
    /// Kills, power failures and failing disks in the week.
    pub crashes: u32,
    /// Periods in which TikTok has trouble.
    pub spells: u32,
    /// How many of 100 messages are lost on each connection.
    pub loss: u8,
    /// How often a fault sets the machine's clock to a wrong time.
    pub clock_steps: u32,
    /// Whether a process may start while the clock is wrong. Such a process does not know the time until TikTok's answer
    /// states the time, or until an hour of uptime confirms the clock.
    pub starts_wrong: bool,
    /// How many attacks happen.
    pub strangers: u32,
    /// Whether one of the attackers sends a flood of requests.
    pub flood: bool,
    /// Whether the shop wants renewals to be reported.
    pub reports_renewals: bool,
    /// The number of pixels to which the shop reports.
    pub pixels: usize,
    /// How many proxies share a database. `None` means that there is one proxy, whose store is a folder.
    pub proxies: Option<usize>,
}

impl Plan {
    /// Draws the plan for this seed's week.
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
        // A proxy notices a wrong clock only by the time in TikTok's answers, and only the proxy that delivers gets these
        // answers. Other proxies could not notice a wrong clock, so in a week with several proxies the clock is never wrong.
        let has_one_clock = plan.proxies.is_none_or(|proxies| proxies == 1);
        Self {
            clock_steps: if has_one_clock { plan.clock_steps } else { 0 },
            ..plan
        }
    }

    /// Returns a plan in which nothing fails, with the same attackers and three times as many visits. More visits are
    /// needed so that shares of orders have a meaning.
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
