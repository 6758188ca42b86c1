//! Lists all alarms. A test checks that `docs/alarms.md` has the same names.

use serde::{Deserialize, Serialize};

/// A condition that an operator must know about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// TikTok refuses the token of a pixel.
    TokenRefused,
    /// Events of a pixel are pending, but none was delivered for 5 minutes.
    NotDelivering,
    /// Of the orders that were paid in the day that ended 2 hours ago, fewer than 4 in 5 have a delivered event.
    PaidNotDelivered,
    /// A payment webhook has reported no payment for more than a day, and for more than three times the longest time between
    /// two of its payments in the 14 days before its last payment.
    WebhookSilent,
    /// Fewer than 1 in 10 events of pages also came from the Pixel in the last hour.
    PixelGone,
    /// The free space on the disk is less than twice the reserve.
    DiskNearlyFull,
    /// TikTok did not accept some events, and the proxy has stopped sending them.
    DeadLetters,
    /// A paid order was not reported.
    PaidUnreported,
}

impl Kind {
    /// All alarms.
    pub const ALL: [Self; 8] = [
        Self::TokenRefused,
        Self::NotDelivering,
        Self::PaidNotDelivered,
        Self::WebhookSilent,
        Self::PixelGone,
        Self::DiskNearlyFull,
        Self::DeadLetters,
        Self::PaidUnreported,
    ];

    /// Returns the name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenRefused => "token_refused",
            Self::NotDelivering => "not_delivering",
            Self::PaidNotDelivered => "paid_not_delivered",
            Self::WebhookSilent => "webhook_silent",
            Self::PixelGone => "pixel_gone",
            Self::DiskNearlyFull => "disk_nearly_full",
            Self::DeadLetters => "dead_letters",
            Self::PaidUnreported => "paid_unreported",
        }
    }

    /// Returns the condition as a sentence. `subject` is the pixel or the provider.
    pub fn sentence(self, subject: &str) -> String {
        match self {
            Self::TokenRefused => format!("TikTok refuses the access token of pixel {subject}."),
            Self::NotDelivering => {
                format!("Events of pixel {subject} are pending, but none was delivered for 5 minutes.")
            }
            Self::PaidNotDelivered => {
                "Fewer than 4 in 5 paid orders of the last day were reported to TikTok within 2 hours."
                    .to_owned()
            }
            Self::WebhookSilent => format!(
                "The webhook of {subject} has reported no payment for unusually long."
            ),
            Self::PixelGone => {
                "Fewer than 1 in 10 events of pages also came from the Pixel in the last hour."
                    .to_owned()
            }
            Self::DiskNearlyFull => "The disk of the data directory is nearly full.".to_owned(),
            Self::DeadLetters => "Events became dead letters: TikTok did not accept them.".to_owned(),
            Self::PaidUnreported => "A paid order was not reported to TikTok.".to_owned(),
        }
    }

    /// Returns what an operator can do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::TokenRefused => {
                "Create a token in Events Manager, replace the pixel's token, and send SIGHUP or restart. Pending events are kept."
            }
            Self::NotDelivering => {
                "Look at GET /readyz and at the log. The proxy keeps pending events and tries to send them for 7 days."
            }
            Self::PaidNotDelivered => {
                "Look for pending events in GET /metrics and for refused events in `duet-proxy dead-letters list`."
            }
            Self::WebhookSilent => {
                "Look at the provider's list of webhook deliveries: the address, the secret, and whether the provider has switched the webhook off."
            }
            Self::PixelGone => {
                "Open the shop with its developer tools: a changed Content-Security-Policy, consent tool or template can stop the Pixel. The proxy's events still arrive."
            }
            Self::DiskNearlyFull => {
                "Free space on the disk. If less than DUET_DISK_RESERVE_MB is free, the proxy accepts no events, and pages keep their events."
            }
            Self::DeadLetters => {
                "`duet-proxy dead-letters list` shows TikTok's message. Correct the cause, and send the events again with `duet-proxy dead-letters replay`."
            }
            Self::PaidUnreported => {
                "The log names the order. Send the order's event again with `duet-proxy dead-letters replay`."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_documentation_lists_the_alarms() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/alarms.md");
        let text = fs::read_to_string(path).unwrap();
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        let names = rows.filter_map(|row| Some(row.split_once('`')?.0));
        let listed: Vec<_> = names.filter(|name| *name != "alarm").collect();
        assert_eq!(listed, Kind::ALL.map(Kind::name));
    }

    #[test]
    fn names_are_the_same_in_messages_and_in_the_log() {
        for kind in Kind::ALL {
            let written = serde_json::to_value(kind).unwrap();
            assert_eq!(written, kind.name());
        }
    }
}
