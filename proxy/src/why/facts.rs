//! The facts about an id, as the store and the running proxy know them.

use std::collections::BTreeMap;

use crate::{
    decide::Payment,
    history::{End, Trace, Tried},
    orders::Order,
};

/// Everything that is known about one id.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The id that is explained.
    pub id: String,
    /// The order to which the id belongs, if the id is not the order's own id.
    pub order_id: Option<String>,
    /// The time at which the id is explained, in Unix milliseconds.
    pub now_ms: i64,
    /// The order that is explained: the order with this id, or the order to which the sale's event or the transfer with this id
    /// belongs.
    pub order: Option<Order>,
    /// When an operator withdrew the order, in Unix milliseconds.
    pub withdrawn_ms: Option<i64>,
    /// The records of events that ended together, the newest first. Each record has only the events that were searched for.
    pub ends: Vec<End>,
    /// TikTok's message about the newest refused event.
    pub message: Option<String>,
    /// Events that wait for their delivery.
    pub pending: Vec<Pending>,
    /// Events that wait for a payment.
    pub held: Vec<Arrived>,
    /// The order's transfers, or the transfer with this id.
    pub payments: Vec<Payment>,
    /// Events that the running proxy rejected recently.
    pub refused: Vec<Refused>,
    /// Repeats that the running proxy recognised recently.
    pub repeats: Vec<Repeat>,
    /// The state of each pixel's delivery.
    pub pixels: BTreeMap<String, PixelState>,
    /// The configured payment webhooks, by provider.
    pub webhooks: BTreeMap<String, WebhookState>,
    /// The settings of the running proxy.
    pub settings: Settings,
}

/// An event that waits for its delivery or for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The event's name.
    pub name: String,
    /// When the proxy accepted the event, in Unix milliseconds.
    pub accepted_ms: i64,
    /// When the event happened, in Unix seconds.
    pub happened_s: i64,
    /// How the event arrived.
    pub trace: Trace,
}

/// An event that waits for its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The event.
    pub event: Arrived,
    /// The pixel that receives the event.
    pub pixel_id: String,
    /// Whether the event is a test event.
    pub is_test: bool,
    /// Its number in the queue.
    pub number: Option<u64>,
    /// How often it was sent without success. `None` if it was not sent since the start.
    pub tried: Option<Tried>,
}

/// An event that the proxy rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When the proxy rejected the event, in Unix milliseconds.
    pub at_ms: i64,
    /// The field and the rule of each error.
    pub errors: Vec<(String, String)>,
}

/// A repeat of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// When the repeat arrived, in Unix milliseconds.
    pub at_ms: i64,
    /// How the repeat arrived.
    pub trace: Trace,
}

/// The state of one pixel's delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PixelState {
    /// Whether the pixel is configured.
    pub is_configured: bool,
    /// Whether TikTok refuses the token.
    pub is_barred: bool,
    /// Whether the last request got no answer from TikTok.
    pub is_down: bool,
    /// The code of TikTok's last answer.
    pub last_code: Option<i64>,
}

/// The notifications that a provider's webhook has received since the proxy started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookState {
    /// When the last notification with a valid proof arrived, in Unix milliseconds.
    pub proven_ms: Option<i64>,
    /// When the last notification without a valid proof arrived, in Unix milliseconds.
    pub unproven_ms: Option<i64>,
    /// When the last notification that cannot be read arrived, in Unix milliseconds.
    pub unreadable_ms: Option<i64>,
}

/// The settings of the running proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether a proxy runs. If no proxy runs, the other settings are not known.
    pub is_running: bool,
    /// Whether the system's clock is in doubt.
    pub is_clock_suspect: bool,
    /// Whether the disk accepts writes.
    pub is_writable: bool,
}

impl Facts {
    /// Returns whether anything is known about the id.
    pub(crate) fn is_known(&self) -> bool {
        self.order.is_some()
            || self.withdrawn_ms.is_some()
            || !self.ends.is_empty()
            || !self.pending.is_empty()
            || !self.held.is_empty()
            || !self.payments.is_empty()
            || !self.refused.is_empty()
            || !self.repeats.is_empty()
    }

    /// Returns whether TikTok has a sale of the order. Without an order, returns whether TikTok has one of the events.
    pub(super) fn is_delivered(&self) -> bool {
        let has_order = self.order.is_some();
        self.ends.iter().any(|end| {
            let is_sale = |name: &str| !has_order || is_money(name);
            end.is_delivered() && end.events.iter().any(|ended| is_sale(&ended.name))
        })
    }
}

/// Returns whether an event with this name reports money.
pub(crate) fn is_money(name: &str) -> bool {
    duet_events::EventName::parse(name).is_ok_and(|name| name.is_money())
}
