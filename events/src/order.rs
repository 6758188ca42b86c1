//! An order as a shop's own server registers it, before it is paid.

use alloc::{
    borrow::{Cow, ToOwned},
    string::{String, ToString},
    vec::Vec,
};

use serde_json::value::RawValue;

use crate::{
    Country, Currency, Invalid, User,
    fields::{Fields, Kind, Place, Problems, Scalar, Stated, Value, has_controls, is_whole},
    nobody, personal, plain,
    rule::{reject, repair},
};

/// The smallest order in dong: no bank in Vietnam moves less.
const SMALLEST_VND: f64 = 1000.0;

/// What a server says of an order.
#[derive(Clone, Debug)]
pub struct Order {
    /// The shop's own id of it, as the page and the memo of the transfer name it.
    pub order_id: String,
    /// What is to be paid, in major units.
    pub amount: f64,
    /// The currency of `amount`.
    pub currency: Currency,
    /// The plan that is bought.
    pub plan_id: Option<String>,
    /// What the shop calls it.
    pub plan_name: Option<String>,
    /// How often it is paid, such as `monthly`.
    pub billing_cycle: Option<String>,
    /// Who buys it, hashed. `ip` and `user_agent` are what the server says they are.
    pub user: User,
    /// What was left out.
    pub warnings: Vec<Invalid>,
}

impl Order {
    /// Reads a registration: `{order_id, amount, currency, plan_id?, plan_name?, billing_cycle?, user?}`. `country`
    /// is for phone numbers without a country code.
    ///
    /// # Errors
    /// Everything that is wrong with it at once.
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
        let mut text = |name| fields.strict_text(name, &mut problems).map(Cow::into_owned);
        let (plan_id, plan_name, billing_cycle) =
            (text("plan_id"), text("plan_name"), text("billing_cycle"));
        let user = fields.take("user").and_then(|user| {
            let read = Fields::read(user, Place::Member("user"));
            read.map_err(|got| problems.reject_got("user".into(), &reject::OBJECT, got))
                .ok()
        });
        let user = user.map(|user| User::read(user, country, &mut problems));
        for name in fields.unknown() {
            problems.reject(fields.path_of(name), &reject::UNKNOWN_FIELD);
        }
        if let (Some(amount), Some(currency)) = (amount, currency) {
            check(amount, currency, &mut problems);
        }
        let Problems {
            errors, warnings, ..
        } = problems;
        match (order_id, amount, currency) {
            (Some(order_id), Some(amount), Some(currency)) if errors.is_empty() => Ok(Self {
                order_id,
                amount,
                currency,
                plan_id,
                plan_name,
                billing_cycle,
                user: user.unwrap_or_default(),
                warnings,
            }),
            _ => Err(errors),
        }
    }
}

fn amount(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<f64> {
    let (stated, got) = match fields.take("amount")? {
        value @ (Value::Raw(_) | Value::Number(_)) => {
            (Stated::read(value.clone(), None), value.scalar().got())
        }
        other => (Stated::Unusable, other.scalar().got()),
    };
    match stated {
        Stated::Number(amount) => return Some(amount),
        _ if got == "a number" => problems.reject("amount", &reject::RANGE),
        _ => problems.reject_got("amount".into(), &reject::NUMBER, got),
    }
    None
}

fn currency(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Currency> {
    let code = fields.strict_text("currency", problems)?;
    let read = Currency::parse(&code).ok_or_else(|| Invalid::of(&reject::CURRENCY, "currency"));
    problems.keep(read)
}

/// Money has to be exact: what TikTok would merely wonder about is an error here.
fn check(amount: f64, currency: Currency, problems: &mut Problems) {
    let broken = if amount <= 0.0 {
        Some(&reject::RANGE)
    } else if currency.whole() && !is_whole(amount) {
        Some(&reject::MINOR_UNITS)
    } else if currency.as_str() == "VND" && amount < SMALLEST_VND {
        Some(&reject::MINIMUM)
    } else {
        None
    };
    if let Some(rule) = broken {
        problems.reject("amount", rule);
    }
}

/// The id of an order as everybody writes it: composed letters, no invisible characters, no blanks around it; 1 to 128
/// bytes, all printable. `None` for what cannot name one order: a word for nothing, or what holds an e-mail address.
/// Events, registrations, webhooks and questions for an order's status all read its id with this.
pub fn clean_id(raw: &str) -> Option<Cow<'_, str>> {
    const LONGEST: usize = 128;
    let id = plain::order_id(raw);
    let fits = id.len() <= LONGEST && !has_controls(&id);
    (fits && !nobody::is_word(&id) && !personal::has_email(&id)).then_some(id)
}

/// Reads a member as an order's id; an integer becomes text. Says what it repaired, and leaves to the caller what
/// follows from one that is unusable.
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
                "billing_cycle":"monthly","user":{"email":"lan@example.com","userId":"user_2abcDEF"}}"#,
        )
        .unwrap();
        assert_eq!(order.order_id, "PHO7K3M9Q2X");
        assert_eq!(order.currency.as_str(), "VND");
        assert_eq!(order.billing_cycle.as_deref(), Some("monthly"));
        assert_eq!(
            (order.user.email.len(), order.user.external_id.len()),
            (1, 1)
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
                r#"{"order_id":"A","amount":"99000","currency":"XXX","paid":true}"#,
                &[
                    ("amount", "number"),
                    ("currency", "currency"),
                    ("paid", "unknown_field"),
                ],
            ),
            (
                r#"{"order_id":"A","amount":0,"currency":"USD"}"#,
                &[("amount", "range")],
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
