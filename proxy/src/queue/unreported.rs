//! Counts the paid orders that were not reported to TikTok. Each commit states how it changes this count. But the count
//! is not stored, and another version may have written orders without counting them. The sweep therefore counts all
//! orders again, some at a time.

#[derive(Debug, Default)]
pub(super) struct Unreported {
    orders: i64,
    /// How many such orders the sweep has found since it began again with the first order.
    counted: i64,
    /// Whether a commit has changed the count since the sweep began again. The change may concern an order that the sweep
    /// has already counted, so the result of this sweep is not exact.
    is_moving: bool,
    /// Whether the sweep has seen all orders since the store was opened.
    is_known: bool,
}

impl Unreported {
    /// Returns the count, as far as the orders have been counted.
    pub(super) fn orders(&self) -> i64 {
        self.orders
    }

    /// Returns whether the sweep has counted all orders since the store was opened. Until then, the count may be too
    /// small.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Makes the sweep count all orders again, because the store was opened again and may contain a commit that was not
    /// counted.
    pub(super) fn opened(&mut self) {
        *self = Self {
            orders: self.orders,
            ..Self::default()
        };
    }

    /// Applies the change that a commit made to the count.
    pub(super) fn changed(&mut self, by: i64) {
        self.orders = (self.orders + by).max(0);
        self.is_moving |= by != 0;
    }

    /// Adds the orders that one step of the sweep has found. `is_done` states that the sweep has checked all orders.
    /// Returns whether the count has risen.
    pub(super) fn found(&mut self, more: usize, is_done: bool) -> bool {
        let before = self.orders;
        self.counted += i64::try_from(more).unwrap_or(i64::MAX);
        self.orders = if is_done && !self.is_moving {
            self.counted
        } else {
            self.orders.max(self.counted)
        };
        if is_done {
            self.counted = 0;
            self.is_moving = false;
            self.is_known = true;
        }
        self.orders > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_finds_what_a_restart_forgot() {
        let mut unreported = Unreported::default();
        assert!(unreported.found(2, false));
        assert!(unreported.found(1, true));
        assert!(!unreported.found(3, true));
        assert_eq!(unreported.orders(), 3);
        assert!(!unreported.found(1, true));
        assert_eq!(unreported.orders(), 1);
    }

    #[test]
    fn the_number_is_known_after_the_sweep_has_seen_all_orders() {
        let mut unreported = Unreported::default();
        unreported.found(1, false);
        assert!(!unreported.is_known());
        // The store is opened again, and the sweep starts with the first order.
        unreported.opened();
        unreported.found(1, false);
        assert!(!unreported.is_known());
        unreported.found(0, true);
        assert!(unreported.is_known());
        assert_eq!(unreported.orders(), 1);
        unreported.opened();
        assert!(!unreported.is_known());
    }

    #[test]
    fn a_change_behind_the_sweeps_back_is_not_lost() {
        let mut unreported = Unreported::default();
        unreported.found(0, false);
        unreported.changed(1);
        unreported.found(0, true);
        assert_eq!(unreported.orders(), 1);
        unreported.changed(-2);
        assert_eq!(unreported.orders(), 0);
    }
}
