//! How many paid orders report nothing. Commits say what they change, and the sweep counts anew, some orders at a
//! time: so the number is right after a restart too, and for orders that another version left behind.

#[derive(Debug, Default)]
pub(super) struct Unreported {
    orders: i64,
    /// How many the sweep has come across since it began with the first order.
    counted: i64,
    /// Whether a commit has changed the number meanwhile, perhaps for an order that the sweep has passed.
    is_moving: bool,
}

impl Unreported {
    /// The number of them, as far as it is known.
    pub(super) fn orders(&self) -> i64 {
        self.orders
    }

    /// A commit changed it by so many.
    pub(super) fn changed(&mut self, by: i64) {
        self.orders = (self.orders + by).max(0);
        self.is_moving |= by != 0;
    }

    /// The sweep came across so many more, and `is_done` when it has seen all orders. Whether there are more than were
    /// known.
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
