//! Checks `properties` of an event. Both channels have the same property names.

use serde_json::{Map, Value};

use super::value;
use crate::conversion::Channel;
use crate::currency;
use crate::personal;
use crate::rule::Rule;
use crate::violations::Finding;

const TEXTS: [&str; 7] = [
    "query",
    "search_string",
    "description",
    "status",
    "shop_id",
    "delivery_category",
    "event_trigger_source",
];
const CONTENT_TEXTS: [&str; 5] = [
    "content_name",
    "content_category",
    "brand",
    "content_type",
    "description",
];

pub(crate) fn inspect(
    at: &str,
    properties: &Map<String, Value>,
    channel: Channel,
    findings: &mut Vec<Finding>,
) {
    if let Some(contents) = properties.get("contents") {
        inspect_contents(&format!("{at}.contents"), contents, findings);
    }
    if channel == Channel::Pixel {
        // The Pixel also accepts the fields of a single item without a list around them.
        inspect_item(at, properties, findings);
    }
    inspect_content_ids(at, properties, findings);
    inspect_money(at, properties, findings);
    for (key, value) in properties {
        let field = format!("{at}.{key}");
        match key.as_str() {
            "content_type" => inspect_content_type(&field, value, findings),
            "order_id" if value.is_number() => {
                findings.push(Finding::new(
                    Rule::NumericString,
                    field,
                    "a number; must be text",
                ));
            }
            "order_id" => drop(value::text(value, &field, findings)),
            "num_items" => inspect_whole_number(&field, value, findings),
            "predicted_ltv" => drop(value::number(value, &field, findings)),
            name if TEXTS.contains(&name) => drop(value::text(value, &field, findings)),
            _ => {}
        }
    }
    inspect_texts(at, properties, findings);
}

fn inspect_contents(at: &str, contents: &Value, findings: &mut Vec<Finding>) {
    let items = match contents {
        Value::Array(items) => items,
        Value::Null => return value::empty(at, "null", findings),
        _ => return findings.push(Finding::new(Rule::WrongType, at, "not a valid list").refused()),
    };
    if items.is_empty() {
        value::empty(at, "an empty list", findings);
    }
    for (index, item) in items.iter().enumerate() {
        let at = format!("{at}.{index}");
        match item {
            Value::Object(item) => {
                inspect_item(&at, item, findings);
                for key in CONTENT_TEXTS {
                    if let Some(value) = item.get(key) {
                        value::text(value, &format!("{at}.{key}"), findings);
                    }
                }
            }
            _ => findings.push(Finding::new(Rule::WrongType, at, "not a valid object").refused()),
        }
    }
}

fn inspect_item(at: &str, item: &Map<String, Value>, findings: &mut Vec<Finding>) {
    if let Some(value) = item.get("content_id") {
        let field = format!("{at}.content_id");
        if matches!(value, Value::Null | Value::String(_)) {
            value::text(value, &field, findings);
        } else {
            findings.push(Finding::new(Rule::WrongType, field, "not a valid string").refused());
        }
    }
    if let Some(value) = item.get("price") {
        let field = format!("{at}.price");
        if value::number(value, &field, findings).is_some_and(|price| price < 0.0) {
            findings.push(Finding::new(Rule::OutOfRange, field, "below zero"));
        }
    }
    if let Some(value) = item.get("quantity") {
        inspect_whole_number(&format!("{at}.quantity"), value, findings);
    }
}

fn inspect_whole_number(field: &str, value: &Value, findings: &mut Vec<Finding>) {
    let whole = match value {
        Value::Null => return value::empty(field, "null", findings),
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) if text.trim().parse::<i64>().is_ok() => {
            findings.push(Finding::new(
                Rule::NumericString,
                field,
                "a number sent as text",
            ));
            true
        }
        _ => false,
    };
    if !whole {
        findings.push(Finding::new(Rule::WrongType, field, "not a valid integer"));
    }
}

fn inspect_content_type(field: &str, value: &Value, findings: &mut Vec<Finding>) {
    if let Some(content_type) = value::text(value, field, findings)
        && !matches!(content_type, "product" | "product_group")
    {
        findings.push(Finding::new(
            Rule::ContentType,
            field,
            "must be product or product_group",
        ));
    }
}

fn inspect_content_ids(at: &str, properties: &Map<String, Value>, findings: &mut Vec<Finding>) {
    let Some(ids) = properties.get("content_ids") else {
        return;
    };
    let field = format!("{at}.content_ids");
    if ids.is_array() {
        value::texts(ids, &field, findings);
    } else if ids.is_null() {
        value::empty(&field, "null", findings);
    } else {
        findings.push(Finding::new(
            Rule::WrongType,
            field.as_str(),
            "not a valid list",
        ));
    }
    if properties.contains_key("contents") {
        findings.push(Finding::new(
            Rule::ContentsAndContentIds,
            field,
            "sent together with contents",
        ));
    }
}

fn inspect_money(at: &str, properties: &Map<String, Value>, findings: &mut Vec<Finding>) {
    let value_field = format!("{at}.value");
    let currency_field = format!("{at}.currency");
    let value = properties
        .get("value")
        .and_then(|value| value::number(value, &value_field, findings));
    let currency = properties
        .get("currency")
        .and_then(|currency| value::text(currency, &currency_field, findings));
    if let Some(code) = currency {
        if !currency::is_listed(&code.to_ascii_uppercase()) {
            findings.push(Finding::new(
                Rule::UnlistedCurrency,
                currency_field.as_str(),
                "not a listed currency",
            ));
        } else if !currency::is_listed(code) {
            findings.push(Finding::new(
                Rule::LowerCaseCurrency,
                currency_field.as_str(),
                "not in upper case",
            ));
        }
    }
    match (value, currency) {
        (Some(_), None) => {
            findings.push(Finding::new(
                Rule::ValueWithoutCurrency,
                currency_field,
                "a value without a currency",
            ));
        }
        (None, Some(_)) => {
            findings.push(Finding::new(
                Rule::CurrencyWithoutValue,
                value_field,
                "a currency without a value",
            ));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
}

/// Finds e-mail addresses in free texts and custom keys, which often contain personal data.
fn inspect_texts(at: &str, properties: &Map<String, Value>, findings: &mut Vec<Finding>) {
    for (key, value) in properties {
        let field = format!("{at}.{key}");
        match value {
            Value::String(text) if personal::has_email(text) => {
                findings.push(Finding::new(
                    Rule::PossiblePersonalData,
                    field,
                    "contains an e-mail address",
                ));
            }
            Value::Object(inner) => inspect_texts(&field, inner, findings),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Value::Object(inner) = item {
                        inspect_texts(&format!("{field}.{index}"), inner, findings);
                    }
                }
            }
            _ => {}
        }
    }
}
