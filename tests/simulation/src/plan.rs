//! What a seed decides before its week begins.

use fastrand::Rng;

/// A minute, in milliseconds.
pub const MINUTE_MS: i64 = 60_000;
/// An hour, in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day, in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// How long things go wrong.
pub const WEEK_MS: i64 = 7 * DAY_MS;
/// How long it takes until everything has come to an end, when nothing goes wrong any more: held events wait for three
/// days, and the last transfer comes four days after its order.
pub const AFTERMATH_MS: i64 = 10 * DAY_MS;

/// How much goes on, and how much of it goes wrong.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Visits in the week.
    pub visits: u32,
    /// Kills, power cuts and failing disks in the week.
    pub crashes: u32,
    /// Spells in which TikTok is in trouble.
    pub spells: u32,
    /// Of 100 messages on each wire, how many are lost.
    pub loss: u8,
    /// Times at which somebody sets the clock.
    pub clock_steps: u32,
    /// Whether a process may start while the clock is wrong: then nobody can know the time before TikTok or an hour of
    /// uptime says so.
    pub starts_wrong: bool,
    /// What strangers try.
    pub strangers: u32,
    /// Whether one of them sends a flood.
    pub flood: bool,
}

impl Plan {
    /// A plan for one week.
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            visits: rng.u32(4..24),
            crashes: rng.u32(0..14),
            spells: rng.u32(0..5),
            loss: [0, 2, 10, 25][rng.usize(..4)],
            clock_steps: if rng.bool() { rng.u32(0..4) } else { 0 },
            starts_wrong: rng.u8(..8) == 0,
            strangers: rng.u32(0..10),
            flood: rng.u8(..16) == 0,
        }
    }
}
