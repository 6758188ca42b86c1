//! Faults that are planted on purpose, so that a search which finds nothing means something.

use std::str::FromStr;

/// A fault that an earlier version had, or its equivalent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// What is read back after a failed sync is in the page cache alone, and a restart does not write it again.
    StaleCache,
    /// The deduplication memory decides whether a paid order is reported.
    KeyDecides,
    /// A stranger's event may carry an id that is derived from somebody's order.
    OpenIds,
    /// A page may begin an order that reads like a live one in a memo.
    Lookalikes,
    /// There is one class of delivery.
    OneClass,
    /// Periods are counted by the clock that anybody may set.
    WallClock,
    /// Each pause is as long as all causes together make it.
    SharedPauses,
}

impl Plant {
    /// All of them, by their names.
    pub const ALL: [(Self, &str); 7] = [
        (Self::StaleCache, "stale-cache"),
        (Self::KeyDecides, "key-decides"),
        (Self::OpenIds, "open-ids"),
        (Self::Lookalikes, "lookalikes"),
        (Self::OneClass, "one-class"),
        (Self::WallClock, "wall-clock"),
        (Self::SharedPauses, "shared-pauses"),
    ];
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
        found.map(|(plant, _)| plant).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            format!("{name} is no planted fault; there are {names}")
        })
    }
}
