//! How an accepted event ends. Every event ends in exactly one of these ways, and in no other.

use crate::tiktok::Verdict;

/// An accepted event's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// TikTok took it (`code` 0).
    Delivered(Verdict),
    /// TikTok took it with a remark (`code` 20001).
    DeliveredWithWarning(Verdict),
    /// TikTok will never take it.
    Refused(Verdict),
    /// It could not be delivered within 7 days.
    Expired,
    /// It said that an order is paid, and no payment came within 72 hours.
    Unverified,
    /// It waited for a payment, and an operator withdrew its order.
    Withdrawn,
}

impl Outcome {
    /// The name in logs, metrics and dead letters.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::DeliveredWithWarning(_) => "delivered_with_warning",
            Self::Refused(_) => "refused",
            Self::Expired => "expired",
            Self::Unverified => "unverified",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether the event is kept as a dead letter.
    pub fn is_dead(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Expired | Self::Unverified | Self::Withdrawn
        )
    }

    /// TikTok's words on it.
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Expired | Self::Unverified | Self::Withdrawn => None,
            Self::Delivered(verdict)
            | Self::DeliveredWithWarning(verdict)
            | Self::Refused(verdict) => Some(verdict),
        }
    }
}
