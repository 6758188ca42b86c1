//! An order as a shop's own server registers it, before it is paid.

use alloc::{borrow::Cow, string::String, vec::Vec};

use serde_json::value::RawValue;

use crate::{
    Country, Currency, Invalid, User,
    fields::{Fields, Kind, Problems, has_controls, is_whole},
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
            .ok_or_else(|| Vec::from([Invalid::new("", "object", "an order is a JSON object")]))?;
        let order_id = order_id(&mut fields, &mut problems);
        let order_id = required(order_id, "order_id", &mut problems);
        let amount = fields.amount("amount", &mut problems);
        let amount = required(amount, "amount", &mut problems);
        let currency = currency(&mut fields, &mut problems);
        let currency = required(currency, "currency", &mut problems);
        let mut text = |name| fields.text(name, &mut problems).map(Cow::into_owned);
        let (plan_id, plan_name, billing_cycle) =
            (text("plan_id"), text("plan_name"), text("billing_cycle"));
        let user = fields.object("user", &mut problems);
        let user = user.map(|user| User::read(user, country, &mut problems));
        for path in fields.unknown() {
            problems.error(path, "unknown_field", "an order has no such field");
        }
        if let (Some(amount), Some(currency)) = (amount, currency) {
            check(amount, currency, &mut problems);
        }
        let Problems { errors, warnings } = problems;
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

fn currency(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Currency> {
    let code = fields.text("currency", problems)?;
    let read = Currency::parse(&code).map_err(|broken| Invalid {
        field: Cow::Borrowed("currency"),
        ..broken
    });
    problems.keep(read)
}

/// Money has to be exact: what TikTok would merely wonder about is an error here.
fn check(amount: f64, currency: Currency, problems: &mut Problems) {
    let broken = if amount <= 0.0 {
        Some(("range", "an order costs more than nothing"))
    } else if currency.whole() && !is_whole(amount) {
        Some((
            "minor_units",
            "this currency has no decimals; an amount is in major units",
        ))
    } else if currency.as_str() == "VND" && amount < SMALLEST_VND {
        Some(("minimum", "an order in VND costs at least 1000 dong"))
    } else {
        None
    };
    if let Some((rule, message)) = broken {
        problems.error("amount".into(), rule, message);
    }
}

/// The id of an order: 1 to 128 bytes, all printable.
pub(crate) fn order_id(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<String> {
    let id = fields.text("order_id", problems)?;
    if is_order_id(&id) {
        return Some(id.into_owned());
    }
    problems.error(
        fields.path_of("order_id"),
        "order_id",
        "an order_id has at most 128 bytes, all printable",
    );
    None
}

/// Whether this can be the id of an order.
pub fn is_order_id(id: &str) -> bool {
    const LONGEST: usize = 128;
    (1..=LONGEST).contains(&id.len()) && !has_controls(id)
}

fn required<T>(read: Option<T>, field: &'static str, problems: &mut Problems) -> Option<T> {
    let named = problems.errors.iter().any(|error| error.field == field);
    if read.is_none() && !named {
        problems.error(field.into(), "required", "an order has this");
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
