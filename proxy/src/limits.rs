//! Every period after which the proxy forgets or gives up something, with its reason.

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long an event is worth delivering: TikTok attributes a conversion to clicks of the last 7 days.
pub const DELIVERY_MS: i64 = 7 * DAY_MS;
/// How long TikTok merges the two legs of an event.
pub const MERGE_MS: i64 = 5 * MINUTE_MS;
/// How long the id of an event is remembered: as long as TikTok remembers it.
pub const EVENT_ID_MS: i64 = 48 * HOUR_MS;
/// How long the id of an order's event is remembered: people open their thank-you page again weeks later.
pub const ORDER_EVENT_ID_MS: i64 = 90 * DAY_MS;
/// How long an event that reports a payment is held until the payment arrives: a bank transfer may take a weekend.
pub const HOLD_MS: i64 = 72 * HOUR_MS;
/// How long an unpaid order is kept after its last event.
pub const UNPAID_ORDER_MS: i64 = 30 * DAY_MS;
/// How long an order is kept that is paid or reported as paid: as long as the ids of its events.
pub const PAID_ORDER_MS: i64 = ORDER_EVENT_ID_MS;
/// How long a payment is kept: its provider repeats it for hours, an operator looks for it weeks later.
pub const PAYMENT_MS: i64 = 90 * DAY_MS;
/// How long a dead letter is kept.
pub const DEAD_LETTER_MS: i64 = 30 * DAY_MS;
/// How often expired entries are removed.
pub const SWEEP_EVERY_MS: i64 = MINUTE_MS;
/// How often an idle store writes the time, so that its next start can detect a wrong clock.
pub const NOTE_TIME_EVERY_MS: i64 = HOUR_MS;
