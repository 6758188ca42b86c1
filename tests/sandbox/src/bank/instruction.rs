//! An instruction to the bank.

use serde::{Deserialize, Serialize};

/// A payment, and how the bank notifies the shop's webhook. Missing fields have the values of [`Instruction::default`].
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Instruction {
    /// The address of the webhook. Default: the bank's setting for this provider.
    pub webhook_url: Option<String>,
    /// The webhook's secret. Default: the bank's setting for this provider.
    pub secret: Option<String>,
    /// The key that signs notifications in the formats `signed_form` and `completed_form`. Default: the bank's setting.
    pub form_key: Option<String>,
    /// The provider that sends the notification.
    pub provider: Provider,
    /// How SePay's notification proves that it comes from SePay. Default: the bank's setting.
    pub auth: Option<Auth>,
    /// The format of SePay's notification.
    pub format: Format,
    /// The id of the paid order.
    pub order_id: String,
    /// The amount in minor units of the currency: 2900 is 29.00 USD, 99000 is 99,000 dong.
    pub amount: i64,
    /// The currency of Polar's and Stripe's payments. Default: USD. The other providers use dong.
    pub currency: Option<String>,
    /// Whether the money is a sale, a renewal, a refund or a chargeback. SePay has only sales.
    pub kind: Kind,
    /// How much of the payment is taken back. Default: the whole payment.
    pub refunded: Option<i64>,
    /// The subscription to which the payment belongs. Default: none.
    pub subscription: Option<String>,
    /// The type of the event at Polar and Stripe. Default: the usual type for this `kind`.
    pub event: Option<String>,
    /// The provider's word for the payment's status. Default: the word for a paid payment.
    pub payment_status: Option<String>,
    /// The number that payOS uses for the order. Default: the number of the transaction.
    pub order_code: Option<u64>,
    /// Whether Stripe is in its test mode.
    pub is_test: bool,
    /// Whether the money comes in or goes out.
    pub direction: Direction,
    /// The shop's account, or its terminal at VNPay. Default: the bank's setting.
    pub account: Option<String>,
    /// The text that the payer writes. Default: the order's id and two words.
    pub memo: Option<String>,
    /// The changes that banks make to the memo, applied in this order.
    pub mangling: Vec<Mangling>,
    /// SePay's number of the transaction. Default: the next number.
    pub transaction_id: Option<u64>,
    /// The type of the notification in the format `gateway`.
    pub notification_type: String,
    /// The status in the formats `signed_form` and `completed_form`.
    pub status: String,
    /// The number of copies of the notification.
    pub copies: u32,
    /// Whether all copies are sent at the same time.
    pub parallel: bool,
    /// An error in the notification, or an unusual detail. Default: none.
    pub flaw: Option<Flaw>,
    /// The length of a minute of SePay's retry schedule, in milliseconds. Default: the bank's setting.
    pub minute_ms: Option<u64>,
    /// How long the bank waits for an answer, in milliseconds.
    pub timeout_ms: u64,
    /// Whether an answer must contain `"success": true`, as SePay's older documentation requires.
    pub require_success_true: bool,
}

impl Default for Instruction {
    fn default() -> Self {
        Self {
            webhook_url: None,
            secret: None,
            form_key: None,
            provider: Provider::Sepay,
            auth: None,
            format: Format::BankTransfer,
            order_id: "LOBE7K3M9Q2X".to_owned(),
            amount: 99_000,
            currency: None,
            kind: Kind::First,
            refunded: None,
            subscription: None,
            event: None,
            payment_status: None,
            order_code: None,
            is_test: false,
            direction: Direction::In,
            account: None,
            memo: None,
            mangling: Vec::new(),
            transaction_id: None,
            notification_type: "ORDER_PAID".to_owned(),
            status: "success".to_owned(),
            copies: 1,
            parallel: false,
            flaw: None,
            minute_ms: None,
            timeout_ms: 30_000,
            require_success_true: false,
        }
    }
}

impl Instruction {
    pub(super) fn currency(&self, usual: &str) -> String {
        let currency = self.currency.as_deref();
        currency.unwrap_or(usual).to_owned()
    }

    pub(super) fn refunded(&self) -> i64 {
        self.refunded.unwrap_or(self.amount)
    }
}

/// The provider of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// SePay, in three formats.
    Sepay,
    /// Polar, with Standard Webhooks.
    Polar,
    /// Stripe.
    Stripe,
    /// payOS.
    Payos,
    /// VNPay, with a query string.
    Vnpay,
}

impl Provider {
    /// Returns the provider's name in paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sepay => "sepay",
            Self::Polar => "polar",
            Self::Stripe => "stripe",
            Self::Payos => "payos",
            Self::Vnpay => "vnpay",
        }
    }

    /// The currency that the provider's payments usually have.
    pub(super) fn currency(self) -> &'static str {
        match self {
            Self::Polar | Self::Stripe => "USD",
            Self::Sepay | Self::Payos | Self::Vnpay => "VND",
        }
    }
}

/// The purpose of the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A sale.
    First,
    /// A later payment of a subscription.
    Renewal,
    /// Money that the shop gives back.
    Refund,
    /// Money that the payer's bank takes back.
    Chargeback,
}

/// SePay's formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A transaction of a bank account.
    BankTransfer,
    /// A notification of the payment gateway.
    Gateway,
    /// The form of the former Next.js shop, signed over the form's fields.
    SignedForm,
    /// The same form, signed over the fields that the shop's server has completed.
    CompletedForm,
}

/// The proof that a notification comes from SePay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// No proof.
    None,
    /// The secret in a header: `Authorization: Apikey`, or the gateway's `X-Secret-Key`.
    ApiKey,
    /// An HMAC-SHA256 of time and body.
    Hmac,
}

/// The direction of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the shop's account.
    In,
    /// From the shop's account.
    Out,
}

/// Changes that banks make to a memo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mangling {
    /// Drops everything but letters, digits and spaces.
    NoSigns,
    /// Drops everything but letters and digits. Spaces are dropped too.
    NoSpaces,
    /// Converts to lower case.
    LowerCase,
    /// Puts a space after every fourth character.
    Spaced,
    /// Adds the bank's own words around the memo, without a space in front.
    Wrapped,
    /// Cuts the memo off in the middle of the order's id.
    CutOff,
    /// Gives no payment code, as if SePay had not recognised it.
    NoCode,
    /// Gives the memo only in the description.
    DescriptionOnly,
}

/// What a test can make unusual about a notification: errors that SePay never makes but other senders could make, and
/// unusual details that are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// The number of the transaction is a text.
    IdAsText,
    /// The amount is a text with two decimals.
    AmountAsText,
    /// The fields without a value are left out.
    NullsAbsent,
    /// The body has an undocumented field.
    UnknownField,
    /// The proof is made with another secret than the shop's.
    WrongKey,
    /// The header with the proof is missing.
    MissingHeader,
    /// The signature has the right form and a wrong value. In the formats of a form, this is the signature that is one of
    /// the form's fields.
    WrongSignature,
    /// The signature was made six minutes ago.
    OldTimestamp,
    /// One digit of the amount was changed after signing.
    ChangedByte,
    /// The fields of the body are in another order than when the body was signed.
    Reordered,
    /// The body is not JSON.
    NotJson,
    /// The body has one mebibyte.
    TooLarge,
}
