//! An order as a shop's own server registers it before the payment.

use alloc::{
    borrow::{Cow, ToOwned},
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::value::RawValue;

use crate::{
    Country, Currency, Invalid, Unreadable, User,
    fields::{Fields, Kind, Place, Problems, Scalar, Value, has_controls},
    minor_units, nobody, personal, plain,
    rule::{reject, repair},
};

/// The smallest amount of an order in dong that is not free. Banks in Vietnam transfer no smaller amount.
const SMALLEST_VND: i64 = 1000;
/// The largest number of payment providers that have their own id for one order. The second constant is the longest such id, in
/// bytes.
const MOST_REFERENCES: usize = 8;
const LONGEST_REFERENCE: usize = 128;

/// The content of an order registration, as a server states it.
#[derive(Clone, Debug)]
pub struct Order {
    /// The shop's own id of the order. The page and the memo of the transfer contain the same id.
    pub order_id: String,
    /// The amount to pay, in minor units of `currency`.
    pub amount_minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
    /// The ids of the order at payment providers, by provider name.
    pub references: BTreeMap<String, String>,
    /// The plan that the customer buys.
    pub plan_id: Option<String>,
    /// The shop's name of the plan.
    pub plan_name: Option<String>,
    /// The payment interval, such as `monthly`.
    pub billing_cycle: Option<String>,
    /// The buyer, with hashed values. `ip` and `user_agent` are the server's statements and are not verified.
    pub user: User,
    /// The pixels that receive the payment if no event of a page names a pixel.
    pub pixel_ids: Vec<String>,
    /// Warnings about fields that were left out.
    pub warnings: Vec<Invalid>,
}

impl Order {
    /// Reads a registration: `{order_id, amount, currency, references?, plan_id?, plan_name?, billing_cycle?, pixel_ids?,
    /// user?}`. `amount` is in major units, and its digits are read, not a rounded number. `country` is the country of phone
    /// numbers without a country code.
    ///
    /// # Errors
    /// Returns all problems of the registration at once.
    pub fn read(raw: &RawValue, country: Option<Country>) -> Result<Self, Vec<Invalid>> {
        let mut problems = Problems::default();
        let mut fields = Fields::outermost(raw.get(), Kind::Sealed)
            .ok_or_else(|| Vec::from([Invalid::of(&reject::OBJECT, "")]))?;
        let order_id = fields.take("order_id").and_then(|value| {
            let path = fields.path_of("order_id");
            read_id(value.scalar(), &path, &mut problems).or_else(|| {
                problems.reject(path, &reject::ORDER_ID);
                None
            })
        });
        let order_id = required(order_id, "order_id", &mut problems);
        let amount = amount(&mut fields, &mut problems);
        let amount = required(amount, "amount", &mut problems);
        let currency = currency(&mut fields, &mut problems);
        let currency = required(currency, "currency", &mut problems);
        let references = fields.take("references");
        let references = references.map(|stated| references_of(stated, &mut problems));
        let mut text = |name| fields.strict_text(name, &mut problems).map(Cow::into_owned);
        let (plan_id, plan_name, billing_cycle) =
            (text("plan_id"), text("plan_name"), text("billing_cycle"));
        let pixel_ids = pixel_ids(&mut fields, &mut problems);
        let user = fields.take("user").and_then(|user| {
            let read = Fields::read(user, Place::Member("user"));
            read.map_err(|got| problems.reject_got("user".into(), &reject::OBJECT, got))
                .ok()
        });
        let user = user.map(|user| User::read(user, country, &mut problems));
        for name in fields.unknown() {
            problems.reject(fields.path_of(name), &reject::UNKNOWN_FIELD);
        }
        let amount_minor = amount
            .zip(currency)
            .and_then(|(token, currency)| minor(token, currency, &mut problems));
        let Problems {
            errors, warnings, ..
        } = problems;
        match (order_id, amount_minor, currency) {
            (Some(order_id), Some(amount_minor), Some(currency)) if errors.is_empty() => Ok(Self {
                order_id,
                amount_minor,
                currency,
                references: references.unwrap_or_default(),
                plan_id,
                plan_name,
                billing_cycle,
                pixel_ids,
                user: user.unwrap_or_default(),
                warnings,
            }),
            _ => Err(errors),
        }
    }
}

/// Returns the digits of the amount, as they were written.
fn amount<'a>(fields: &mut Fields<'a>, problems: &mut Problems) -> Option<&'a str> {
    let stated = fields.take("amount")?;
    let got = stated.clone().scalar().got();
    match stated {
        Value::Raw(raw) if got == "a number" => Some(raw.get()),
        _ => {
            problems.reject_got("amount".into(), &reject::NUMBER, got);
            None
        }
    }
}

/// Converts the amount to minor units. The amount of an order must be exact, so an amount that only causes a warning in an
/// event is an error in an order.
fn minor(token: &str, currency: Currency, problems: &mut Problems) -> Option<i64> {
    let broken = match minor_units(token, currency.decimals()) {
        // A free trial costs nothing at first.
        Ok(0) => return Some(0),
        Ok(minor) if currency.as_str() == "VND" && minor < SMALLEST_VND => &reject::MINIMUM,
        Ok(minor) => return Some(minor),
        Err(Unreadable::Range) => &reject::RANGE,
        Err(Unreadable::Decimals) => &reject::MINOR_UNITS,
        Err(Unreadable::Number) => {
            let got = "a number with an exponent";
            problems.reject_got("amount".into(), &reject::NUMBER, got);
            return None;
        }
    };
    problems.reject("amount", broken);
    None
}

/// Reads the ids of an order at payment providers. Each id is an integer or a text.
fn references_of(stated: Value<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let place = Place::Member("references");
    let read = Fields::read(stated, place).ok().and_then(|fields| {
        let references = fields.rest().map(|(provider, id)| {
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            let is_provider = (1..=32).contains(&provider.len()) && provider.bytes().all(is_name);
            let id = match Value::Raw(id).scalar() {
                Scalar::Text(text) => text.into_owned(),
                Scalar::Number(number) if !number.is_fractional() => number.integer()?.to_string(),
                _ => return None,
            };
            let fits = (1..=LONGEST_REFERENCE).contains(&id.len()) && !has_controls(&id);
            (is_provider && fits).then(|| (provider.to_owned(), id))
        });
        let references = references.collect::<Option<BTreeMap<_, _>>>()?;
        (references.len() <= MOST_REFERENCES).then_some(references)
    });
    read.unwrap_or_else(|| {
        problems.reject("references", &reject::REFERENCES);
        BTreeMap::new()
    })
}

fn pixel_ids(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<String> {
    let mut pixel_ids: Vec<String> = Vec::new();
    let list = fields.take("pixel_ids").map(Value::array);
    match list.transpose() {
        Ok(list) => {
            for id in list.unwrap_or_default() {
                match id.scalar() {
                    Scalar::Text(id) if pixel_ids.iter().any(|known| known == id.trim()) => {}
                    Scalar::Text(id) => pixel_ids.push(id.trim().to_owned()),
                    other => problems.reject_got("pixel_ids".into(), &reject::STRING, other.got()),
                }
            }
        }
        Err(other) => {
            problems.reject_got("pixel_ids".into(), &reject::ARRAY, other.scalar().got());
        }
    }
    pixel_ids
}

fn currency(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Currency> {
    let code = fields.strict_text("currency", problems)?;
    let read = Currency::parse(&code).ok_or_else(|| Invalid::of(&reject::CURRENCY, "currency"));
    problems.keep(read)
}

/// Normalises an order id: composes its letters, and removes invisible characters and the blanks around the id. Returns `None`
/// if the result does not have 1 to 128 printable bytes, or if it cannot name one order, because it is a word for a missing
/// value or contains an e-mail address. Events, registrations, webhooks and status requests all read an order id with this
/// function.
pub fn clean_id(raw: &str) -> Option<Cow<'_, str>> {
    const LONGEST: usize = 128;
    let id = plain::order_id(raw);
    let fits = id.len() <= LONGEST && !has_controls(&id);
    (fits && !nobody::is_word(&id) && !personal::has_email(&id)).then_some(id)
}

/// Reads a member as an order id. An integer becomes text. Adds warnings about repairs. The caller must decide whether an
/// unusable id is an error.
pub(crate) fn read_id(stated: Scalar<'_>, path: &str, problems: &mut Problems) -> Option<String> {
    match stated {
        Scalar::Text(text) => {
            let id = clean_id(&text)?;
            problems.warn_of_mended(&text, || path.to_owned());
            if id != text {
                problems.warn(path.to_owned(), &repair::PLAIN);
            }
            Some(id.into_owned())
        }
        Scalar::Number(number) => {
            let id = number.integer()?.to_string();
            clean_id(&id)?;
            problems.warn_of_number(path, number);
            Some(id)
        }
        _ => None,
    }
}

fn required<T>(read: Option<T>, field: &'static str, problems: &mut Problems) -> Option<T> {
    let named = problems.errors.iter().any(|error| error.field == field);
    if read.is_none() && !named {
        problems.reject(field, &reject::REQUIRED);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Order, Vec<Invalid>> {
        let raw = RawValue::from_string(text.into()).unwrap();
        Order::read(&raw, Country::parse("VN"))
    }

    fn broken(text: &str) -> Vec<(String, String)> {
        let errors = read(text).unwrap_err().into_iter();
        errors
            .map(|error| (error.field.into_owned(), error.rule.into_owned()))
            .collect()
    }

    #[test]
    fn an_order_is_read_whole() {
        let order = read(
            r#"{"order_id":"PHO7K3M9Q2X","amount":99000,"currency":"vnd","plan_id":"pro","plan_name":"Pro",
                "billing_cycle":"monthly","pixel_ids":["P1"," P2","P1"],"user":{"email":"lan@example.com","userId":"user_2abcDEF"}}"#,
        )
        .unwrap();
        assert_eq!(order.order_id, "PHO7K3M9Q2X");
        assert_eq!(order.amount_minor, 99_000);
        assert_eq!(order.currency.as_str(), "VND");
        assert_eq!(order.billing_cycle.as_deref(), Some("monthly"));
        assert_eq!(order.pixel_ids, ["P1", "P2"]);
        assert_eq!(
            (order.user.email.len(), order.user.external_id.len()),
            (1, 1)
        );
    }

    #[test]
    fn an_amount_is_read_from_its_digits() {
        for (amount, currency, minor) in [
            ("99000", "VND", 99_000),
            ("99000.0", "VND", 99_000),
            ("29.00", "USD", 2_900),
            ("29", "usd", 2_900),
            ("0.07", "USD", 7),
            ("0", "USD", 0),
            ("0", "VND", 0),
            ("1.005", "KWD", 1_005),
        ] {
            let text =
                alloc::format!(r#"{{"order_id":"A","amount":{amount},"currency":"{currency}"}}"#);
            assert_eq!(read(&text).unwrap().amount_minor, minor, "{text}");
        }
    }

    #[test]
    fn providers_know_an_order_by_integers_and_texts() {
        let order = read(
            r#"{"order_id":"A","amount":1000,"currency":"VND","references":{"payos":92704,"vnpay":"T-1"}}"#,
        );
        let references = order.unwrap().references;
        let references: Vec<_> = references.iter().collect();
        assert_eq!(
            references,
            [
                (&"payos".to_string(), &"92704".to_string()),
                (&"vnpay".to_string(), &"T-1".to_string())
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_at_once() {
        for (text, expected) in [
            (
                "{}",
                &[
                    ("order_id", "required"),
                    ("amount", "required"),
                    ("currency", "required"),
                ][..],
            ),
            (
                r#"{"order_id":"A","amount":29.999,"currency":"USD"}"#,
                &[("amount", "minor_units")],
            ),
            (
                r#"{"order_id":"A","amount":2.9e1,"currency":"USD"}"#,
                &[("amount", "number")],
            ),
            (
                r#"{"order_id":"A","amount":1e400,"currency":"USD"}"#,
                &[("amount", "number")],
            ),
            (
                r#"{"order_id":"A","amount":10000000000000,"currency":"USD"}"#,
                &[("amount", "range")],
            ),
            (
                r#"{"order_id":"A","amount":1000,"currency":"VND","references":92704}"#,
                &[("references", "references")],
            ),
            (
                r#"{"order_id":"A","amount":1000,"currency":"VND","references":{"payos":1.5}}"#,
                &[("references", "references")],
            ),
            (
                r#"{"order_id":"A","amount":1000,"currency":"VND","references":{"PayOS":1}}"#,
                &[("references", "references")],
            ),
            (
                r#"{"order_id":"A","amount":1000,"currency":"VND","references":{"payos":""}}"#,
                &[("references", "references")],
            ),
            (
                r#"{"order_id":"A","amount":"99000","currency":"XXX","paid":true}"#,
                &[
                    ("amount", "number"),
                    ("currency", "currency"),
                    ("paid", "unknown_field"),
                ],
            ),
            (
                r#"{"order_id":"A","amount":1,"currency":"USD","pixel_ids":"P1"}"#,
                &[("pixel_ids", "array")],
            ),
            (
                r#"{"order_id":"A","amount":1,"currency":"USD","pixel_ids":["P1",5]}"#,
                &[("pixel_ids", "string")],
            ),
            (
                r#"{"order_id":"A","amount":-1,"currency":"USD"}"#,
                &[("amount", "range")],
            ),
            (
                r#"{"order_id":"A","amount":99000.5,"currency":"VND"}"#,
                &[("amount", "minor_units")],
            ),
            (
                r#"{"order_id":"A","amount":999,"currency":"VND"}"#,
                &[("amount", "minimum")],
            ),
            (
                r#"{"order_id":"A\nB","amount":1000,"currency":"VND"}"#,
                &[("order_id", "order_id")],
            ),
            ("[]", &[("", "object")]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(field, rule)| ((*field).into(), (*rule).into()))
                .collect();
            assert_eq!(broken(text), expected, "{text}");
        }
    }
}
