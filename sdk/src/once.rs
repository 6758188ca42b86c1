//! An event of an order is fired once on this browser: a reload, a restored tab or a visit next month
//! must not count a sale again.

/// How long a mark is believed.
const MAX_AGE_MS: f64 = 90.0 * 86_400_000.0;

/// Out of the legs that are wanted - 1 for the Pixel's, 2 for the proxy's - and the legs that a mark of
/// `fired_ms` says were fired: those that are to be fired now, and, times 4, those that the mark is to say.
pub fn legs(wanted: u32, fired: u32, fired_ms: f64, now_ms: f64) -> u32 {
    let fired = if fired_ms + MAX_AGE_MS <= now_ms {
        0
    } else {
        fired
    };
    wanted & !fired | (wanted | fired) << 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_fired_that_was_not() {
        for (wanted, fired, now, marked) in [
            (3, 0, 3, 3),
            (3, 1, 2, 3),
            (2, 1, 2, 3),
            (1, 1, 0, 1),
            (3, 3, 0, 3),
            (0, 1, 0, 1),
        ] {
            assert_eq!(legs(wanted, fired, 1000.0, 1000.0), now | marked << 2);
        }
    }

    #[test]
    fn a_mark_counts_for_90_days() {
        assert_eq!(legs(1, 1, 1000.0, 999.0 + MAX_AGE_MS) & 3, 0);
        assert_eq!(legs(1, 3, 1000.0, 1000.0 + MAX_AGE_MS), 1 | 1 << 2);
    }
}
