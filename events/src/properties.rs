//! The properties of an event: the goods, their price, the order.

use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    Currency, EventName, address,
    fields::{Amount, Extra, Fields, Place, Problems, is_whole},
    order, personal,
    rule::{leave_out, reject, remark, repair},
};

mod money;
mod untyped;

use money::Money;

/// Fields that are texts in TikTok's contract. Duet does not check their content further.
pub const TEXTS: [&str; 5] = ["query", "search_string", "description", "status", "shop_id"];

/// More fields that are texts in TikTok's contract. TikTok's template for a tag manager writes these fields, and pages do not.
const TEMPLATE_TEXTS: [&str; 3] = ["delivery_category", "event_trigger_source", "gtm_version"];

/// An event's properties. A field with a type in TikTok's contract has that type. All other fields pass through unchanged.
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
    /// The order to which this event belongs.
    pub order_id: Option<String>,
    extra: Extra,
}

/// One item of `contents`.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// The shop's own id of the item.
    pub content_id: Option<String>,
    /// The shop's name of the item.
    pub content_name: Option<String>,
    /// The category of the item.
    pub content_category: Option<String>,
    /// The brand of the item.
    pub brand: Option<String>,
    /// The price of one piece, in major units.
    pub price: Option<f64>,
    /// The number of pieces.
    pub quantity: Option<i64>,
    extra: Extra,
}

impl Properties {
    /// Reads the properties of an event with this name.
    pub(crate) fn read(
        mut fields: Fields<'_>,
        name: Option<&EventName>,
        problems: &mut Problems,
    ) -> Self {
        let is_money = name.is_some_and(EventName::is_money);
        let money = Money::read(&mut fields, problems);
        let content_type = content_type(&mut fields, problems);
        let (mut contents, content_type) = contents(&mut fields, content_type, money, problems);
        // The Pixel accepts the fields of a single item directly in the properties, but the Events API expects the item in
        // `contents`.
        let single = Content::read(&mut fields, money, problems);
        if contents.is_empty() && !single.is_empty() {
            contents.push(single);
        } else {
            single.warn_of_loss(&fields, problems);
        }
        let mut properties = Self {
            contents,
            content_type,
            value: money.value(&mut fields, is_money, problems),
            currency: money.currency(),
            order_id: order_id(&mut fields, is_money, problems),
            extra: Extra::default(),
        };
        properties.check_money(money, problems);
        properties.pass_through(fields, money, problems);
        properties
    }

    /// Returns whether there are no properties.
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
            && self.content_type.is_none()
            && self.value.is_none()
            && self.currency.is_none()
            && self.order_id.is_none()
            && self.extra.is_empty()
    }

    fn check_money(&self, money: Money, problems: &mut Problems) {
        match (self.value, money) {
            (Some(_), Money::Missing) => {
                problems.warn("properties.currency", &remark::CURRENCY_MISSING);
            }
            (Some(value), Money::In(currency)) if currency.whole() && !is_whole(value) => {
                problems.warn("properties.value", &remark::MINOR_UNITS);
            }
            _ => {}
        }
    }

    fn pass_through(&mut self, mut fields: Fields<'_>, money: Money, problems: &mut Problems) {
        for name in TEXTS.into_iter().chain(TEMPLATE_TEXTS) {
            if let Some(text) = words(name, &mut fields, problems) {
                self.extra.put(name, &text);
            }
        }
        if let Some(items) = fields.integer("num_items", problems) {
            self.extra.put("num_items", &items);
        }
        if let Some(worth) = money.amount("predicted_ltv", &mut fields, problems) {
            self.extra.put("predicted_ltv", &Amount(worth));
        }
        let ids = content_ids(&mut fields, problems);
        if !ids.is_empty() {
            if self.contents.is_empty() {
                self.extra.put("content_ids", &ids);
            } else {
                problems.warn(fields.path_of("content_ids"), &leave_out::CONTENTS);
            }
        }
        untyped::add(&fields, &mut self.extra, problems);
    }
}

fn order_id(fields: &mut Fields<'_>, is_money: bool, problems: &mut Problems) -> Option<String> {
    let stated = fields.take("order_id")?;
    let path = fields.path_of("order_id");
    let scalar = stated.scalar();
    if scalar.is_empty_text() {
        return None;
    }
    let id = order::read_id(scalar, &path, problems);
    match (&id, is_money) {
        (Some(_), _) => {}
        (None, true) => problems.reject(path, &reject::ORDER_ID),
        (None, false) => problems.warn(path, &leave_out::ORDER_ID),
    }
    id
}

/// Reads the ids in `content_ids`, which must be a list of texts. A text with several ids is not split, because one id can
/// contain commas.
fn content_ids(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<String> {
    const NAME: &str = "content_ids";
    let Some(stated) = fields.take(NAME) else {
        return Vec::new();
    };
    let stated = match stated.array() {
        Ok(items) => items,
        Err(one) => {
            let got = one.clone().scalar();
            if got.is_empty_text() {
                return Vec::new();
            }
            if one.clone().text().is_some_and(|text| text.contains(',')) {
                problems.warn(fields.path_of(NAME), &leave_out::COMMAS);
                return Vec::new();
            }
            if got.is_scalar() {
                problems.warn(fields.path_of(NAME), &repair::LIST);
            }
            Vec::from([one])
        }
    };
    let stated = stated.into_iter().filter(|value| !value.is_null());
    let ids = stated.filter_map(|value| {
        let id = fields.text_of(value, NAME, problems)?;
        id_without_email(id, || fields.path_of(NAME), problems)
    });
    ids.collect()
}

impl Content {
    fn read(fields: &mut Fields<'_>, money: Money, problems: &mut Problems) -> Self {
        let id = fields.text("content_id", problems);
        Self {
            content_id: id
                .and_then(|id| id_without_email(id, || fields.path_of("content_id"), problems)),
            content_name: words("content_name", fields, problems),
            content_category: words("content_category", fields, problems),
            brand: words("brand", fields, problems),
            price: money.amount("price", fields, problems),
            quantity: fields.integer("quantity", problems),
            extra: Extra::default(),
        }
    }

    /// Returns whether the item has no fields.
    fn is_empty(&self) -> bool {
        self.content_id.is_none() && self.content_name.is_none() && self.price.is_none()
    }

    /// Warns about each field of an item that does not belong in `contents`.
    fn warn_of_loss(&self, fields: &Fields<'_>, problems: &mut Problems) {
        for (name, is_lost) in [
            ("content_id", self.content_id.is_some()),
            ("content_name", self.content_name.is_some()),
            ("content_category", self.content_category.is_some()),
            ("brand", self.brand.is_some()),
            ("price", self.price.is_some()),
            ("quantity", self.quantity.is_some()),
        ] {
            if is_lost {
                problems.warn(fields.path_of(name), &leave_out::ITEM);
            }
        }
    }
}

/// Reads the items, and the `content_type` that all items share. Older senders put the type into each item. If `kind` is
/// `None`, the type in the first item is used.
fn contents(
    fields: &mut Fields<'_>,
    mut kind: Option<String>,
    money: Money,
    problems: &mut Problems,
) -> (Vec<Content>, Option<String>) {
    const NAME: &str = "properties.contents";
    let mut contents = Vec::new();
    let Some(stated) = fields.take("contents") else {
        return (contents, kind);
    };
    let items = match stated.array() {
        Ok(items) => items,
        Err(one) if one.is_object() => {
            problems.warn(NAME, &repair::LIST);
            Vec::from([one])
        }
        Err(other) => {
            let scalar = other.scalar();
            if !scalar.is_empty_text() {
                problems.warn_got(NAME.to_owned(), &leave_out::ARRAY, scalar.got());
            }
            return (contents, kind);
        }
    };
    for (index, item) in items.into_iter().enumerate() {
        let place = Place::Element(NAME, index);
        let mut item = match Fields::read(item, place) {
            Ok(item) => item,
            Err(got) => {
                problems.warn_got(place.path(), &leave_out::OBJECT, got);
                continue;
            }
        };
        let mut content = Content::read(&mut item, money, problems);
        let own = content_type(&mut item, problems);
        if own.is_some() && kind.is_some() && own != kind {
            problems.warn(item.path_of("content_type"), &leave_out::MIXED);
        }
        kind = kind.or(own);
        if let Some(text) = words("description", &mut item, problems) {
            content.extra.put("description", &text);
        }
        untyped::add(&item, &mut content.extra, problems);
        contents.push(content);
    }
    (contents, kind)
}

fn content_type(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let kind = fields.text("content_type", problems)?;
    if matches!(&*kind, "product" | "product_group") {
        return Some(kind.into_owned());
    }
    problems.warn(fields.path_of("content_type"), &leave_out::CONTENT_TYPE);
    None
}

/// Reads a text for people, without e-mail addresses and without the personal parts of page addresses.
fn words(name: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let text = fields.text(name, problems)?;
    let Some(left) = address::clean_text(&text) else {
        return Some(text.into_owned());
    };
    let rule = if text.contains("://") {
        &repair::PERSONAL_URL
    } else {
        &repair::EMAIL_IN_TEXT
    };
    problems.warn(fields.path_of(name), rule);
    (!left.is_empty()).then_some(left)
}

/// Reads an id. Leaves out an id that contains an e-mail address, because the id without the address would be another id.
fn id_without_email(
    id: Cow<'_, str>,
    path: impl FnOnce() -> String,
    problems: &mut Problems,
) -> Option<String> {
    if personal::has_email(&id) {
        problems.warn(path(), &leave_out::PERSONAL_DATA);
        return None;
    }
    Some(id.into_owned())
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
