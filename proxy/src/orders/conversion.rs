//! The events that report a paid order.

use std::{borrow::Cow, collections::BTreeMap};

use duet_events::{EventId, EventName, name::aliases};
use serde::Serialize;
use serde_json::{json, value::RawValue};

use super::{EventText, Order, Plan};
use crate::{limits::CLICK_MS, money::Money};

/// The plan as the one bought item.
#[derive(Serialize)]
struct Bought<'a> {
    content_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
    quantity: u32,
}

/// The event that reports the payment of an order.
#[derive(Debug)]
pub struct Conversion {
    /// The event's name: `Subscribe` for a plan, `Purchase` for anything else.
    pub name: EventName,
    /// The event's id, which is derived from the order. Every page, webhook and process therefore computes the same id.
    pub id: EventId,
    /// The id of the same event under its other name. For `Purchase`, it is the id that a page or a server derives for
    /// `CompletePayment`. `None` if the event has only one name.
    pub other_id: Option<EventId>,
    /// Whether the event has any data about the payer.
    pub is_attributed: bool,
    /// The JSON that TikTok receives.
    pub json: Vec<u8>,
}

/// The event of a renewal.
#[derive(Debug)]
pub struct Renewal {
    /// The event's id.
    pub id: EventId,
    /// The JSON that TikTok receives.
    pub json: Vec<u8>,
}

impl Order {
    /// Returns the event of the order's payment, or `None` if the event cannot be written.
    pub fn conversion(&self, now_ms: i64) -> Option<Conversion> {
        let name = if self.plan.is_named() {
            "Subscribe"
        } else {
            "Purchase"
        };
        let name = EventName::parse(name).ok()?;
        let id = EventId::derive(name.as_str(), &self.id);
        let alias = aliases(name.as_str()).nth(1);
        let other_id = alias.map(|alias| EventId::derive(alias, &self.id));
        let event = self.sale(&name, &id, &self.id, self.received?, now_ms)?;
        let json = serde_json::to_vec(&event).ok()?;
        Some(Conversion {
            is_attributed: !event.user.is_empty(),
            json,
            id,
            other_id,
            name,
        })
    }

    /// Returns the event of a renewal. The event has an order id of its own, which also contains the payment's id. The
    /// event leaves out the click and the browser if the click is too old to have led to the renewal.
    pub fn renewal(
        &self,
        name: &EventName,
        payment_id: &str,
        money: Money,
        now_ms: i64,
    ) -> Option<Renewal> {
        let order_id = format!("{}/{payment_id}", self.id);
        let id = EventId::derive(name.as_str(), &order_id);
        let mut event = self.sale(name, &id, &order_id, money, now_ms)?;
        let seen_ms = self.named_ms.or(self.begun_ms).unwrap_or(self.touched_ms);
        if now_ms >= seen_ms + CLICK_MS {
            let is_of_the_person = |key: &str| ["email", "phone", "external_id"].contains(&key);
            event.user.retain(|key, _| is_of_the_person(key));
            event.page = None;
        }
        let json = serde_json::to_vec(&event).ok()?;
        Some(Renewal { id, json })
    }

    fn sale<'a>(
        &'a self,
        name: &'a EventName,
        id: &'a EventId,
        order_id: &str,
        money: Money,
        now_ms: i64,
    ) -> Option<EventText<'a>> {
        let mut properties = BTreeMap::new();
        pays(&mut properties, money);
        if let Some(contents) = self.contents(money) {
            properties.insert("contents".into(), contents);
            properties.insert("content_type".into(), raw(&json!("product"))?);
        }
        properties.insert("order_id".into(), raw(&json!(order_id))?);
        Some(EventText {
            event: name.as_str().into(),
            event_time: now_ms / 1000,
            event_id: id.as_str().into(),
            user: self.visitor.user(),
            properties,
            page: self.visitor.page(),
            limited_data_use: self.visitor.limited_data_use(),
        })
    }

    /// Returns the bought items: either the plan as the only item, or the items of the page's events. If both are
    /// known, returns the plan if the server registered the order, and otherwise the items of the page's events.
    fn contents(&self, received: Money) -> Option<Cow<'_, RawValue>> {
        let plan = || self.plan.contents(received).map(Cow::Owned);
        if self.bill.is_some() {
            plan().or_else(|| self.visitor.contents())
        } else {
            self.visitor.contents().or_else(plan)
        }
    }
}

/// Returns a page's event that reports a payment, with the provider's amount instead of the page's amount.
pub fn with_payment(event: &[u8], received: Money) -> Option<Vec<u8>> {
    let mut event = EventText::of(event)?;
    pays(&mut event.properties, received);
    serde_json::to_vec(&event).ok()
}

/// Writes this amount and its currency into the properties. Writes neither of them if TikTok does not accept the
/// currency.
fn pays(properties: &mut BTreeMap<Cow<'_, str>, Cow<'_, RawValue>>, money: Money) {
    let currency = money.currency();
    let stated = [
        ("value", money.json().map(Cow::Owned)),
        ("currency", raw(&json!(currency.as_str()))),
    ];
    for (name, value) in stated {
        properties.remove(name);
        if let Some(value) = value.filter(|_| currency.is_reportable()) {
            properties.insert(name.into(), value);
        }
    }
}

fn raw(value: &serde_json::Value) -> Option<Cow<'static, RawValue>> {
    serde_json::value::to_raw_value(value).ok().map(Cow::Owned)
}

impl Plan {
    /// Returns the plan as the only bought item. The item's name includes the billing cycle, as in the page's own events.
    fn contents(&self, money: Money) -> Option<Box<RawValue>> {
        let id = self.id.as_ref().or(self.name.as_ref())?;
        let name = self.name.as_ref().map(|name| match &self.billing_cycle {
            Some(cycle) => format!("{name} ({cycle})"),
            None => name.clone(),
        });
        let price = money.json().filter(|_| money.currency().is_reportable());
        let bought = Bought {
            content_id: id,
            content_name: name,
            price,
            quantity: 1,
        };
        serde_json::value::to_raw_value(&[bought]).ok()
    }
}
