//! Lists every period after which the proxy stops a task or forgets data. Each has its reason.

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long the proxy tries to deliver an event. TikTok attributes a conversion to clicks of the last 7 days.
pub const DELIVERY_MS: i64 = 7 * DAY_MS;
/// How long after an event TikTok can still merge the event's two legs.
pub const MERGE_MS: i64 = 5 * MINUTE_MS;
/// How long the proxy remembers the id of an event. TikTok remembers it for the same time.
pub const EVENT_ID_MS: i64 = 48 * HOUR_MS;
/// How long the proxy remembers the id of an order's event. Customers open their thank-you page again weeks later.
pub const ORDER_EVENT_ID_MS: i64 = 90 * DAY_MS;
/// How long the proxy holds an event that reports a payment, until the payment arrives. A bank transfer can take a weekend.
pub const HOLD_MS: i64 = 72 * HOUR_MS;
/// How long an unpaid order is kept after its last event.
pub const UNPAID_ORDER_MS: i64 = 30 * DAY_MS;
/// How long an order is kept that is paid, or that only a page reported as paid. The ids of such orders' events are kept for
/// the same time.
pub const PAID_ORDER_MS: i64 = ORDER_EVENT_ID_MS;
/// How long a payment is kept. A provider can repeat its notification for hours, and an operator can need the payment weeks
/// later.
pub const PAYMENT_MS: i64 = 90 * DAY_MS;
/// How long a payment that names its order exactly waits until the shop's server registers the order.
pub const WAITING_PAYMENT_MS: i64 = 30 * DAY_MS;
/// How long a click is remembered. TikTok's cookies live for the same time.
pub const CLICK_MS: i64 = 30 * DAY_MS;
/// How long a dead letter is kept.
pub const DEAD_LETTER_MS: i64 = 30 * DAY_MS;
/// How long the history keeps the record of an ended event. This is the same time for which the proxy tries to deliver an
/// event.
pub const HISTORY_MS: i64 = 7 * DAY_MS;
/// How long the history keeps the counts of an hour.
pub const HOURS_MS: i64 = 90 * DAY_MS;
/// How many entries of the change log are kept.
pub const CHANGES: usize = 200;
/// How often expired entries are removed.
pub const SWEEP_EVERY_MS: i64 = MINUTE_MS;
/// How often an idle store writes the time, so that its next start can detect a wrong clock.
pub const NOTE_TIME_EVERY_MS: i64 = HOUR_MS;
