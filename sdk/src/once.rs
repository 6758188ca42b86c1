//! Ensures that this browser fires an event of an order only once. A reload, a restored tab or a visit in the next month must
//! not count a sale again.

/// How long a mark is valid.
const MAX_AGE_MS: f64 = 90.0 * 86_400_000.0;

/// The Pixel's leg.
pub const PIXEL: u32 = 1;
/// The proxy's leg.
pub const SERVER: u32 = 2;

/// Reads the mark of an order's event, and returns the legs on which the event was already fired. A mark that is too old has no
/// effect.
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
