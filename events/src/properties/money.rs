//! Reads amounts and their currency. An amount is never sent without its currency.

use crate::{
    Currency,
    fields::{Fields, Problems, Stated},
    rule::{leave_out, reject, repair},
};

/// The currency of an event's amounts.
#[derive(Clone, Copy)]
pub(super) enum Money {
    In(Currency),
    /// No currency is given.
    Missing,
    /// TikTok does not list the given currency, so amounts are not sent: TikTok could read 99000 without a currency as dollars.
    Unusable,
}

impl Money {
    pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Self {
        let Some(stated) = fields.take("currency") else {
            return Self::Missing;
        };
        let scalar = stated.clone().scalar();
        if scalar.is_empty_text() {
            return Self::Missing;
        }
        let code = stated.text().unwrap_or_default();
        let Some(currency) = Currency::parse(&code) else {
            problems.warn_got(
                fields.path_of("currency"),
                &leave_out::CURRENCY,
                scalar.got(),
            );
            return Self::Unusable;
        };
        if code != currency.as_str() {
            problems.warn(fields.path_of("currency"), &repair::CURRENCY_CODE);
        }
        Self::In(currency)
    }

    pub(super) fn currency(self) -> Option<Currency> {
        match self {
            Self::In(currency) => Some(currency),
            Self::Missing | Self::Unusable => None,
        }
    }

    /// Reads an amount. An amount is left out if it is below zero, is not a number, or has an unusable currency. `null` gets
    /// a warning, because JavaScript writes NaN as `null`.
    pub(super) fn amount(
        self,
        name: &str,
        fields: &mut Fields<'_>,
        problems: &mut Problems,
    ) -> Option<f64> {
        let stated = fields.take_even_null(name)?;
        let got = stated.clone().scalar().got();
        self.settle(
            Stated::read(stated, self.currency()),
            fields,
            name,
            got,
            problems,
        )
    }

    fn settle(
        self,
        stated: Stated,
        fields: &Fields<'_>,
        name: &str,
        got: &str,
        problems: &mut Problems,
    ) -> Option<f64> {
        let path = || fields.path_of(name);
        match (self, stated) {
            (_, Stated::Negative) => problems.warn(path(), &leave_out::NUMBER),
            (Self::Unusable, _) => problems.warn(path(), &leave_out::CURRENCY),
            (_, Stated::Number(amount)) => return Some(amount),
            (_, Stated::Text(amount)) => {
                problems.warn(path(), &repair::TEXT_AS_NUMBER);
                return Some(amount);
            }
            (_, Stated::Unusable) => problems.warn_got(path(), &leave_out::NUMBER, got),
        }
        None
    }

    /// Reads the paid value. A value below zero on a money event is rejected, because its meaning is not clear.
    pub(super) fn value(
        self,
        fields: &mut Fields<'_>,
        is_money: bool,
        problems: &mut Problems,
    ) -> Option<f64> {
        let stated = fields.take_even_null("value")?;
        let got = stated.clone().scalar().got();
        let read = Stated::read(stated, self.currency());
        if read == Stated::Negative && is_money {
            problems.reject(fields.path_of("value"), &reject::RANGE);
            return None;
        }
        self.settle(read, fields, "value", got, problems)
    }
}
