//! Faults that are planted on purpose. A search that finds these faults shows that a search without findings has a meaning.

use std::str::FromStr;

/// A fault of an earlier version, or a similar one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// After a failed sync, reads return data that is only in the page cache. A restart does not write this data again.
    StaleCache,
    /// The deduplication memory decides whether a paid order is reported.
    KeyDecides,
    /// An attacker's event can have an id that is derived from another order.
    OpenIds,
    /// A page can start an order whose id, in a memo, looks like the id of a live order.
    Lookalikes,
    /// All events are in one class of delivery.
    OneClass,
    /// Periods are counted by the clock that anybody can set.
    WallClock,
    /// All causes of a pause together decide its length.
    SharedPauses,
    /// A refund that comes before its payment is never found.
    ForgetsRefunds,
    /// A payment that comes before the registration of its order is never found.
    ForgetsPayments,
    /// A database keeps the deduplication keys of a transaction that it has aborted.
    KeysFirst,
    /// A commit that arrives after its process has connected again still writes the counts of that process.
    LateCommits,
    /// A process settles events although another process delivers them now.
    UnfencedSettles,
}

impl Plant {
    /// All faults with their names.
    pub const ALL: [(Self, &str); 12] = [
        (Self::StaleCache, "stale-cache"),
        (Self::KeyDecides, "key-decides"),
        (Self::OpenIds, "open-ids"),
        (Self::Lookalikes, "lookalikes"),
        (Self::OneClass, "one-class"),
        (Self::WallClock, "wall-clock"),
        (Self::SharedPauses, "shared-pauses"),
        (Self::ForgetsRefunds, "forgets-refunds"),
        (Self::ForgetsPayments, "forgets-payments"),
        (Self::KeysFirst, "keys-first"),
        (Self::LateCommits, "late-commits"),
        (Self::UnfencedSettles, "unfenced-settles"),
    ];
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
        found.map(|(plant, _)| plant).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            format!("the planted fault must be one of {names}, got {name}")
        })
    }
}
