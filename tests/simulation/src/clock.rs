//! The clocks of the simulated machine.

use std::cell::Cell;

use duet_proxy::clock::Reading;

/// 2027-01-04, a Monday.
const START_MS: i64 = 1_799_020_800_000;

thread_local! {
    static NOW_MS: Cell<i64> = const { Cell::new(0) };
    static WALL_IS_AHEAD_MS: Cell<i64> = const { Cell::new(0) };
    static BOOTED_MS: Cell<i64> = const { Cell::new(0) };
    static HAS_ONE: Cell<bool> = const { Cell::new(false) };
}

/// If `has_one` is true, periods are measured by the wall clock. This is a planted fault.
pub fn plant_one_clock(has_one: bool) {
    HAS_ONE.set(has_one);
}

/// Sets all clocks to the start of the simulated week.
pub fn start() {
    NOW_MS.set(0);
    WALL_IS_AHEAD_MS.set(0);
    BOOTED_MS.set(0);
}

/// Returns a reading of the machine's clocks.
pub fn read() -> Reading {
    let wall_ms = true_ms() + WALL_IS_AHEAD_MS.get();
    Reading {
        wall_ms,
        boot_ms: if HAS_ONE.get() {
            wall_ms
        } else {
            NOW_MS.get() - BOOTED_MS.get()
        },
    }
}

/// Returns the true time in Unix milliseconds. The machine's clock can show another time.
pub fn true_ms() -> i64 {
    START_MS + NOW_MS.get()
}

/// Returns milliseconds since the start of the week.
pub fn since_start_ms() -> i64 {
    NOW_MS.get()
}

/// Lets `ms` milliseconds pass.
pub fn pass(ms: i64) {
    NOW_MS.set(NOW_MS.get() + ms);
}

/// Sets the machine's time of day `ms` milliseconds ahead of the true time, from now on.
pub fn set_ahead(ms: i64) {
    WALL_IS_AHEAD_MS.set(ms);
}

/// Restarts the machine.
pub fn boot() {
    BOOTED_MS.set(NOW_MS.get());
}
