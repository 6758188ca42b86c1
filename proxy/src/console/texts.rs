//! The console's texts, in English and Vietnamese. The code does not compile if one language lacks a text.

mod english;
mod vietnamese;

pub(super) use english::ENGLISH;
pub(super) use vietnamese::VIETNAMESE;

use super::recount::Gap;
use crate::{change_log::By, decide::Became, orders::Status};

/// The texts of one language.
pub(super) struct Texts {
    pub(super) title: &'static str,
    pub(super) other_language: &'static str,
    pub(super) token: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) sign_in_hint: &'static str,
    pub(super) wrong_token: &'static str,
    pub(super) too_many_tokens: &'static str,
    pub(super) sections: &'static str,
    pub(super) version: &'static str,
    pub(super) dark: &'static str,
    pub(super) light: &'static str,
    pub(super) pause: &'static str,
    pub(super) help: &'static str,
    pub(super) help_keys: &'static str,
    pub(super) offline: &'static str,
    pub(super) close: &'static str,
    pub(super) cancel: &'static str,
    pub(super) working: &'static str,
    pub(super) slow: &'static str,
    pub(super) stopped: &'static str,
    pub(super) attention: &'static str,
    pub(super) until: &'static str,
    pub(super) store_stopped: &'static str,
    pub(super) token_stopped: &'static str,
    pub(super) pixel_stuck: &'static str,
    pub(super) events_wait: &'static str,
    pub(super) tiktok_down: &'static str,
    pub(super) nothing_waits: &'static str,
    pub(super) test_mode: &'static str,
    pub(super) open_gate: &'static str,
    pub(super) silent_webhooks: &'static str,
    pub(super) no_token: &'static str,
    pub(super) seconds: &'static str,
    pub(super) minutes: &'static str,
    pub(super) hours: &'static str,
    pub(super) days: &'static str,
    pub(super) not_readable: &'static str,
    pub(super) trouble: &'static str,
    pub(super) no_trouble: &'static str,
    pub(super) causes: &'static str,
    pub(super) cause_columns: [&'static str; 7],
    pub(super) newest_letters: &'static str,
    pub(super) letters: &'static str,
    pub(super) letter_columns: [&'static str; 7],
    pub(super) send_again: &'static str,
    pub(super) send_all_again: &'static str,
    pub(super) send_all_since: &'static str,
    pub(super) send_again_question: &'static str,
    pub(super) letters_would_be_sent: &'static str,
    pub(super) undo: &'static str,
    pub(super) were_sent_again: &'static str,
    pub(super) not_sent_again: &'static str,
    pub(super) replay_command: &'static str,
    pub(super) refused: &'static str,
    pub(super) expired: &'static str,
    pub(super) unverified: &'static str,
    pub(super) withdrawn: &'static str,
    pub(super) money: &'static str,
    pub(super) all_transfers: &'static str,
    pub(super) to_review: &'static str,
    pub(super) transfers: &'static str,
    pub(super) transfer_columns: [&'static str; 6],
    pub(super) no_transfers: &'static str,
    pub(super) nothing_unmatched: &'static str,
    pub(super) paid: &'static str,
    pub(super) overpaid: &'static str,
    pub(super) amount_differs: &'static str,
    pub(super) partial: &'static str,
    pub(super) renewed: &'static str,
    pub(super) returned: &'static str,
    pub(super) free: &'static str,
    pub(super) unmatched: &'static str,
    pub(super) ambiguous: &'static str,
    pub(super) paid_before: &'static str,
    pub(super) other_currency: &'static str,
    pub(super) test: &'static str,
    pub(super) not_counted: &'static str,
    pub(super) order_unknown: &'static str,
    pub(super) order_pending: &'static str,
    pub(super) order_partial: &'static str,
    pub(super) order_paid: &'static str,
    pub(super) live: &'static str,
    pub(super) filter: &'static str,
    pub(super) apply: &'static str,
    pub(super) filter_hint: &'static str,
    pub(super) no_events: &'static str,
    pub(super) no_such_events: &'static str,
    pub(super) more_events: &'static str,
    pub(super) all_events: &'static str,
    pub(super) no_recent_events: &'static str,
    pub(super) latest_events: &'static str,
    pub(super) event_columns: [&'static str; 6],
    pub(super) last_event: &'static str,
    pub(super) unreadable_event: &'static str,
    pub(super) test_event: &'static str,
    pub(super) delivered: &'static str,
    pub(super) rejected: &'static str,
    pub(super) held_event: &'static str,
    pub(super) duplicate: &'static str,
    pub(super) accepted: &'static str,
    pub(super) repeats: &'static str,
    pub(super) none: &'static str,
    pub(super) event_id: &'static str,
    pub(super) rules: &'static str,
    pub(super) ended: &'static str,
    pub(super) attempts: &'static str,
    pub(super) batch_of: &'static str,
    pub(super) request_id: &'static str,
    pub(super) fired: &'static str,
    pub(super) blocked: &'static str,
    pub(super) absent: &'static str,
    pub(super) pixel_off: &'static str,
    pub(super) pixel_unknown: &'static str,
    pub(super) milliseconds: &'static str,
    pub(super) counted: &'static str,
    pub(super) last: &'static str,
    pub(super) no_paid_orders: &'static str,
    pub(super) steps: &'static str,
    pub(super) step_columns: [&'static str; 4],
    pub(super) paid_orders: &'static str,
    pub(super) accepted_orders: &'static str,
    pub(super) delivered_orders: &'static str,
    pub(super) are_missing: &'static str,
    pub(super) missing: &'static str,
    pub(super) missing_columns: [&'static str; 4],
    pub(super) waiting: &'static str,
    pub(super) unreported: &'static str,
    pub(super) counted_events: &'static str,
    pub(super) counted_columns: [&'static str; 6],
    pub(super) match_keys: &'static str,
    pub(super) no_delivered: &'static str,
    pub(super) coverage: &'static str,
    pub(super) coverage_columns: [&'static str; 10],
    pub(super) estimate_note: &'static str,
    pub(super) of_hundred: &'static str,
    pub(super) too_few: &'static str,
    pub(super) gap_left_out: &'static str,
    pub(super) gap_private_address: &'static str,
    pub(super) gap_server: &'static str,
    pub(super) gap_order: &'static str,
    pub(super) gap_no_pixel: &'static str,
    pub(super) gap_page: &'static str,
    pub(super) orders_counted: &'static str,
    /// The text for one order, and the text for several orders.
    pub(super) orders_wait: [&'static str; 2],
    pub(super) orders_refused: [&'static str; 2],
    pub(super) orders_unreported: [&'static str; 2],
    pub(super) orders_withdrawn: [&'static str; 2],
    pub(super) search: &'static str,
    pub(super) search_button: &'static str,
    pub(super) why: &'static str,
    pub(super) copy: &'static str,
    pub(super) nothing_missing: &'static str,
    pub(super) step_missing: &'static str,
    pub(super) unknown_id: &'static str,
    pub(super) why_steps: &'static str,
    pub(super) why_columns: [&'static str; 2],
    pub(super) machine: &'static str,
    pub(super) pending: &'static str,
    pub(super) oldest: &'static str,
    pub(super) held: &'static str,
    pub(super) disk_free: &'static str,
    pub(super) reserve: &'static str,
    pub(super) clock: &'static str,
    pub(super) pixels: &'static str,
    pub(super) pixel_columns: [&'static str; 5],
    pub(super) proxies: &'static str,
    pub(super) proxy_columns: [&'static str; 3],
    pub(super) this_one: &'static str,
    pub(super) at_once: &'static str,
    pub(super) every: &'static str,
    pub(super) pauses_for: &'static str,
    pub(super) delivers: &'static str,
    pub(super) stuck: &'static str,
    pub(super) reported: &'static str,
    pub(super) down: &'static str,
    pub(super) token_refused: &'static str,
    pub(super) not_configured: &'static str,
    pub(super) times: &'static str,
    pub(super) time_columns: [&'static str; 4],
    pub(super) time_request: &'static str,
    pub(super) time_delivery: &'static str,
    pub(super) time_commit: &'static str,
    pub(super) accepted_rate: &'static str,
    pub(super) delivered_rate: &'static str,
    pub(super) refused_rate: &'static str,
    pub(super) in_this_minute: &'static str,
    pub(super) changes: &'static str,
    pub(super) change_columns: [&'static str; 2],
    pub(super) no_changes: &'static str,
    pub(super) started: &'static str,
    pub(super) first_start: &'static str,
    pub(super) same_settings: &'static str,
    pub(super) other_settings: &'static str,
    pub(super) other_token: &'static str,
    pub(super) other_token_and_names: &'static str,
    pub(super) pixels_read: &'static str,
    pub(super) letters_replayed: &'static str,
    pub(super) letters_dropped: &'static str,
    pub(super) order_withdrawn: &'static str,
    pub(super) by_command: &'static str,
    pub(super) by_console: &'static str,
}

impl Texts {
    /// Returns the words for the outcome of an event.
    pub(super) fn outcome(&self, outcome: &str) -> String {
        let words = match outcome {
            "refused" => self.refused,
            "expired" => self.expired,
            "unverified" => self.unverified,
            "withdrawn" => self.withdrawn,
            "waiting" => self.waiting,
            "unreported" => self.unreported,
            other => other,
        };
        words.to_owned()
    }

    /// Returns the words for the result of a transfer.
    pub(super) fn became(&self, became: Became) -> &'static str {
        match became {
            Became::Paid => self.paid,
            Became::Overpaid => self.overpaid,
            Became::AmountDiffers => self.amount_differs,
            Became::Partial => self.partial,
            Became::Renewed => self.renewed,
            Became::Returned => self.returned,
            Became::Free => self.free,
            Became::Unmatched => self.unmatched,
            Became::Ambiguous => self.ambiguous,
            Became::PaidBefore => self.paid_before,
            Became::OtherCurrency => self.other_currency,
            Became::Test => self.test,
            Became::NotCounted => self.not_counted,
        }
    }

    /// Returns the words for the state of an order.
    pub(super) fn order_status(&self, status: Status) -> &'static str {
        match status {
            Status::Unknown => self.order_unknown,
            Status::Pending => self.order_pending,
            Status::Partial => self.order_partial,
            Status::Paid => self.order_paid,
        }
    }

    /// Returns the words for what happened to the Pixel's copy.
    pub(super) fn pixel_leg(&self, pixel: &str) -> &'static str {
        match pixel {
            "fired" => self.fired,
            "blocked" => self.blocked,
            "absent" => self.absent,
            "off" => self.pixel_off,
            _ => self.pixel_unknown,
        }
    }

    /// Returns the words for the reason why a match key is missing.
    pub(super) fn gap(&self, gap: Gap) -> &'static str {
        match gap {
            Gap::LeftOut => self.gap_left_out,
            Gap::PrivateAddress => self.gap_private_address,
            Gap::ServerSentNone => self.gap_server,
            Gap::OrderHadNone => self.gap_order,
            Gap::NoPixel => self.gap_no_pixel,
            Gap::PageHadNone => self.gap_page,
        }
    }

    /// Returns the words for the place from which an operator acted.
    pub(super) fn by(&self, by: By) -> &'static str {
        match by {
            By::Command => self.by_command,
            By::Console => self.by_console,
        }
    }

    /// Returns the name of a measured time.
    pub(super) fn time_of(&self, name: &str) -> &'static str {
        match name {
            "request" => self.time_request,
            "commit" => self.time_commit,
            _ => self.time_delivery,
        }
    }
}
