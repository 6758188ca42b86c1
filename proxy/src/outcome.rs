//! The final results of an accepted event. Every event ends in exactly one of these outcomes.

use crate::tiktok::Verdict;

/// The final result of an accepted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// TikTok accepted the event (`code` 0).
    Delivered(Verdict),
    /// TikTok accepted the event with a remark (`code` 20001).
    DeliveredWithWarning(Verdict),
    /// TikTok refused the event for good.
    Refused(Verdict),
    /// The proxy could not deliver the event within 7 days.
    Expired,
    /// The event reported a paid order, but no payment arrived within 72 hours.
    Unverified,
    /// The event waited for a payment, but an operator withdrew its order.
    Withdrawn,
}

impl Outcome {
    /// Returns the name of the outcome in logs, metrics and dead letters.
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

    /// Returns whether the event is kept as a dead letter.
    pub fn is_dead(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Expired | Self::Unverified | Self::Withdrawn
        )
    }

    /// Returns TikTok's answer about the event.
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Expired | Self::Unverified | Self::Withdrawn => None,
            Self::Delivered(verdict)
            | Self::DeliveredWithWarning(verdict)
            | Self::Refused(verdict) => Some(verdict),
        }
    }
}
