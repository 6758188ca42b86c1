//! The facts that alarms depend on.
//!
//! Right after a start, many facts are not known yet. An unknown fact is `None`, which does not mean zero: an unknown fact
//! neither begins nor ends an alarm.

/// The state of the proxy at one time.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The time of the boot clock, which nobody can set, in milliseconds.
    pub now_ms: i64,
    /// The configured pixels.
    pub pixels: Vec<Pixel>,
    /// The payment providers whose webhooks are set up.
    pub webhooks: Vec<Webhook>,
    /// Counts what the Pixel did with the events of pages since the start.
    pub legs: Legs,
    /// The disk of the data directory. `None` if the disk's free space is unknown.
    pub disk: Option<Disk>,
    /// How many events became dead letters since the start because TikTok refused them or they expired.
    pub dead_letters: u64,
    /// How many paid orders were not reported to TikTok. `None` until all orders were counted after the start.
    pub paid_unreported: Option<u64>,
    /// The orders that were paid in the day that ended 2 hours ago. `None` if these orders are unknown.
    pub paid: Option<Paid>,
}

/// The state of one pixel's delivery.
#[derive(Clone, Debug, Default)]
pub struct Pixel {
    /// The pixel code.
    pub id: String,
    /// Whether TikTok refuses the pixel's token. `None` until TikTok's first verdict since the start.
    pub is_refused: Option<bool>,
    /// Whether events are pending. `None` until the start has read them.
    pub is_waiting: Option<bool>,
    /// How many of the pixel's events TikTok accepted since the start.
    pub delivered: u64,
}

/// When a provider's webhook reported payments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Webhook {
    /// The provider's name.
    pub provider: &'static str,
    /// The time since the last payment, in milliseconds. `None` while the time of day is in doubt, before the payments are
    /// read, and if there is no payment.
    pub silent_ms: Option<i64>,
    /// The longest time between two payments in the 14 days before the last payment, in milliseconds.
    pub longest_gap_ms: i64,
}

/// Counts what the Pixel did with events of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Legs {
    /// Events that the Pixel sent too.
    pub fired: u64,
    /// Events whose page had no Pixel, or a blocked one.
    pub missing: u64,
}

/// Free space on a disk, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// The free space.
    pub free_bytes: u64,
    /// The space below which the proxy accepts no events.
    pub reserve_bytes: u64,
}

/// Paid orders, and how many of them TikTok has.
#[derive(Clone, Copy, Debug)]
pub struct Paid {
    /// The paid orders.
    pub orders: u64,
    /// The paid orders whose event was delivered.
    pub delivered: u64,
}
