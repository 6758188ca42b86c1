//! What an event was about: the goods, their price, the order.

use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    Currency,
    fields::{Amount, Extra, Fields, Place, Problems, is_whole},
    order::order_id,
};

/// Keys that belong into `user`, where they are hashed; here they would travel as they are.
const PERSONAL: [&str; 9] = [
    "email",
    "phone",
    "phone_number",
    "external_id",
    "userId",
    "user_id",
    "first_name",
    "last_name",
    "ip",
];

/// An event's properties. What TikTok types is typed; everything else passes through untouched.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// The goods.
    pub contents: Vec<Content>,
    /// `product` or `product_group`.
    pub content_type: Option<String>,
    /// The total, in major units: 99000 VND is 99,000 dong.
    pub value: Option<f64>,
    /// The currency of `value` and of every price.
    pub currency: Option<Currency>,
    /// The order this event belongs to.
    pub order_id: Option<String>,
    extra: Extra,
}

/// One kind of goods.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The shop's own id of it.
    pub content_id: Option<String>,
    /// What the shop calls it.
    pub content_name: Option<String>,
    /// What kind of thing it is.
    pub content_category: Option<String>,
    /// Who makes it.
    pub brand: Option<String>,
    /// The price of one, in major units.
    pub price: Option<f64>,
    /// How many.
    pub quantity: Option<i64>,
    extra: Extra,
}

impl Properties {
    pub(crate) fn read(mut fields: Fields<'_>, problems: &mut Problems) -> Self {
        let (mut contents, nested_type) = contents(&mut fields, problems);
        // The Pixel takes a single item's fields beside the others; the Events API wants them as contents.
        let single = Content::read(&mut fields, problems);
        if contents.is_empty() && !single.is_empty() {
            contents.push(single);
        }
        let content_type = content_type(&mut fields, problems).or(nested_type);
        let value = fields.amount("value", problems);
        let currency = fields
            .text("currency", problems)
            .and_then(|code| problems.keep(Currency::parse(&code)));
        let mut properties = Self {
            contents,
            content_type,
            value,
            currency,
            order_id: order_id(&mut fields, problems),
            extra: Extra::default(),
        };
        properties.check_money(problems);
        properties.pass_through(fields, problems);
        properties
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
            && self.content_type.is_none()
            && self.value.is_none()
            && self.currency.is_none()
            && self.order_id.is_none()
            && self.extra.is_empty()
    }

    fn check_money(&self, problems: &mut Problems) {
        let field = || "properties.value".to_owned();
        match (self.value, self.currency) {
            (Some(_), None) => problems.warn(
                "properties.currency".to_owned(),
                "currency_missing",
                "a value needs a currency; none is guessed",
            ),
            (Some(value), Some(currency)) if currency.whole() && !is_whole(value) => problems.warn(
                field(),
                "minor_units",
                "this currency has no decimals; a value is in major units",
            ),
            _ => {}
        }
    }

    fn pass_through(&mut self, mut fields: Fields<'_>, problems: &mut Problems) {
        for name in ["query", "search_string", "description", "status", "shop_id"] {
            self.text(name, &mut fields, problems);
        }
        for (name, raw) in fields.rest() {
            let field = || fields.path_of(name);
            if PERSONAL.contains(&name) {
                problems.warn(
                    field(),
                    "personal_data",
                    "this belongs into user, where it is hashed; it was left out",
                );
            } else if name == "content_ids" && !self.contents.is_empty() {
                problems.warn(
                    field(),
                    "contents",
                    "contents and content_ids say the same; content_ids was left out",
                );
            } else {
                self.extra.add(name.to_owned(), raw);
            }
        }
    }

    /// A key that TikTok types as a string and Duet does not look into.
    fn text(&mut self, name: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) {
        if let Some(raw) = fields.raw_text(name, problems) {
            self.extra.add(name, raw);
        }
    }
}

impl Content {
    fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Self {
        let content = Self {
            content_id: owned(fields.text("content_id", problems)),
            content_name: owned(fields.text("content_name", problems)),
            content_category: owned(fields.text("content_category", problems)),
            brand: owned(fields.text("brand", problems)),
            price: fields.amount("price", problems),
            quantity: fields.integer("quantity", problems),
            extra: Extra::default(),
        };
        if content.quantity.is_some_and(i64::is_negative) {
            problems.error(
                fields.path_of("quantity"),
                "range",
                "a quantity is at least 0",
            );
        }
        content
    }

    fn is_empty(&self) -> bool {
        self.content_id.is_none() && self.content_name.is_none() && self.price.is_none()
    }
}

/// The items, and the `content_type` that older senders put into each of them.
fn contents(fields: &mut Fields<'_>, problems: &mut Problems) -> (Vec<Content>, Option<String>) {
    let mut contents = Vec::new();
    let mut nested_type = None;
    for (index, raw) in fields
        .list("contents", problems)
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let Some(mut item) = problems.keep(Fields::read(
            raw,
            Place::Element("properties.contents", index),
        )) else {
            continue;
        };
        let mut content = Content::read(&mut item, problems);
        nested_type = nested_type.or(content_type(&mut item, problems));
        for (name, raw) in item.rest() {
            content.extra.add(name.to_owned(), raw);
        }
        contents.push(content);
    }
    (contents, nested_type)
}

fn content_type(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let kind = fields.text("content_type", problems)?;
    if !matches!(kind.as_ref(), "product" | "product_group") {
        problems.error(
            fields.path_of("content_type"),
            "content_type",
            "this is product or product_group",
        );
        return None;
    }
    Some(kind.into_owned())
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.contents.is_empty() {
            map.serialize_entry("contents", &self.contents)?;
        }
        entry(&mut map, "content_type", self.content_type.as_ref())?;
        entry(&mut map, "value", self.value.map(Amount))?;
        entry(&mut map, "currency", self.currency)?;
        entry(&mut map, "order_id", self.order_id.as_ref())?;
        self.extra.write(&mut map)?;
        map.end()
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        entry(&mut map, "content_id", self.content_id.as_ref())?;
        entry(&mut map, "content_name", self.content_name.as_ref())?;
        entry(&mut map, "content_category", self.content_category.as_ref())?;
        entry(&mut map, "brand", self.brand.as_ref())?;
        entry(&mut map, "price", self.price.map(Amount))?;
        entry(&mut map, "quantity", self.quantity)?;
        self.extra.write(&mut map)?;
        map.end()
    }
}

fn entry<M: SerializeMap>(
    map: &mut M,
    key: &str,
    value: Option<impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, &value))
}
