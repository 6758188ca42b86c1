//! Faults that are planted on purpose. If the search finds the planted faults, its result "no fault" for the real code has
//! a meaning.

use std::str::FromStr;

/// A fault that an earlier version had, or a similar fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// After a failed sync, reads return data that is only in the page cache. A restart does not write this data to the disk.
    StaleCache,
    /// The memory for deduplication decides whether a paid order is reported.
    KeyDecides,
    /// An attacker's event can have the id that belongs to an event of another order.
    OpenIds,
    /// A page can begin an order whose id looks in a memo like the id of an existing order.
    Lookalikes,
    /// All events are in one class of delivery.
    OneClass,
    /// Periods are measured by the wall clock, which can be set.
    WallClock,
    /// Each pause of a courier is eight times as long, as if all causes of a pause made it longer together.
    SharedPauses,
    /// A refund that comes before its payment is not found when the payment comes.
    ForgetsRefunds,
    /// A payment that comes before its order is registered is not found when the order is registered.
    ForgetsPayments,
    /// The database keeps the deduplication keys of an aborted transaction.
    KeysFirst,
    /// If a commit arrives after its process has connected again, the commit still overwrites the counts of this process.
    LateCommits,
    /// A process can settle events although another process has the lease to deliver them.
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
