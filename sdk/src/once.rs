//! An event of an order is fired once on this browser: a reload, a restored tab or a visit next month
//! must not count a sale again.

/// How long a mark is believed.
const MAX_AGE_MS: f64 = 90.0 * 86_400_000.0;

/// The leg that is the Pixel's.
pub const PIXEL: u32 = 1;
/// The leg that is the proxy's.
pub const SERVER: u32 = 2;

/// The legs that a mark says were fired, as far as it is still believed.
pub fn believed(fired: u32, fired_ms: f64, now_ms: f64) -> u32 {
    if fired_ms + MAX_AGE_MS <= now_ms {
        0
    } else {
        fired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_for_90_days() {
        let fired = PIXEL | SERVER;
        assert_eq!(believed(fired, 1000.0, 1000.0), fired);
        assert_eq!(believed(fired, 1000.0, 999.0 + MAX_AGE_MS), fired);
        assert_eq!(believed(fired, 1000.0, 1000.0 + MAX_AGE_MS), 0);
    }
}
