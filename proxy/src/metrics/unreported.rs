//! The number of paid orders that were not reported to TikTok, and whether this number is known.

use std::sync::atomic::Ordering;

use super::Metrics;

impl Metrics {
    /// Sets the number of these orders. `is_known` states whether all orders have been counted.
    pub fn unreported(&self, orders: i64, is_known: bool) {
        self.paid_unreported.set(orders);
        self.knows_unreported.store(is_known, Ordering::Relaxed);
    }

    /// Returns the number of these orders. Before all orders have been counted, returns the number of unreported
    /// orders that were found so far, or `None` if none was found.
    pub fn known_unreported(&self) -> Option<u64> {
        let orders = u64::try_from(self.paid_unreported.get()).unwrap_or_default();
        let is_known = self.knows_unreported.load(Ordering::Relaxed);
        (is_known || orders > 0).then_some(orders)
    }
}
