//! What is reported of a paid order.

use std::{borrow::Cow, collections::BTreeMap};

use duet_events::{EventId, EventName, name::aliases};
use serde_json::{json, value::RawValue};

use super::{EventText, Order, Plan};

/// The event of a payment.
#[derive(Debug)]
pub struct Conversion {
    /// `Subscribe` for a plan, `Purchase` for anything else.
    pub name: EventName,
    /// The order's own id of it: the same in every page, webhook and process.
    pub id: EventId,
    /// The id under which somebody else may report the same sale.
    pub other_id: Option<EventId>,
    /// Whether anything is known of who paid.
    pub is_attributed: bool,
    /// What TikTok gets.
    pub json: Vec<u8>,
}

impl Order {
    /// What TikTok is told of its payment; `None` where that cannot be written.
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
        let user = self.visitor.user();
        let mut properties = paid(self.received);
        if let Some(contents) = self.contents() {
            properties.insert("contents".into(), contents);
            properties.insert("content_type".into(), raw(&json!("product"))?);
        }
        properties.insert("order_id".into(), raw(&json!(self.id))?);
        let event = EventText {
            event: name.as_str().into(),
            event_time: now_ms / 1000,
            event_id: id.as_str().into(),
            user,
            properties,
            page: self.visitor.page(),
            limited_data_use: self.visitor.limited_data_use(),
        };
        let json = serde_json::to_vec(&event).ok()?;
        Some(Conversion {
            is_attributed: !event.user.is_empty(),
            json,
            id,
            other_id,
            name,
        })
    }

    /// What was bought: the server's word, where it registered the order.
    fn contents(&self) -> Option<Cow<'_, RawValue>> {
        let plan = || self.plan.contents(self.received).map(Cow::Owned);
        if self.bill.is_some() {
            plan().or_else(|| self.visitor.contents())
        } else {
            self.visitor.contents().or_else(plan)
        }
    }
}

/// A page's event of a paid order, with what the bank says instead of what the page says.
pub fn with_payment(event: &[u8], dong: i64) -> Option<Vec<u8>> {
    let mut event = EventText::of(event)?;
    event.properties.extend(paid(dong));
    serde_json::to_vec(&event).ok()
}

fn paid(dong: i64) -> BTreeMap<Cow<'static, str>, Cow<'static, RawValue>> {
    [("value", json!(dong)), ("currency", json!("VND"))]
        .into_iter()
        .filter_map(|(name, value)| Some((name.into(), raw(&value)?)))
        .collect()
}

fn raw(value: &serde_json::Value) -> Option<Cow<'static, RawValue>> {
    serde_json::value::to_raw_value(value).ok().map(Cow::Owned)
}

impl Plan {
    /// The plan as the one thing that was bought. Its name says how often it is paid, as the page's own does.
    fn contents(&self, dong: i64) -> Option<Box<RawValue>> {
        let id = self.id.as_ref().or(self.name.as_ref())?;
        let name = self.name.as_ref().map(|name| match &self.billing_cycle {
            Some(cycle) => format!("{name} ({cycle})"),
            None => name.clone(),
        });
        let mut content = json!({ "content_id": id, "price": dong, "quantity": 1 });
        if let (Some(content), Some(name)) = (content.as_object_mut(), name) {
            content.insert("content_name".to_owned(), name.into());
        }
        serde_json::value::to_raw_value(&json!([content])).ok()
    }
}
