//! What somebody tells the bank to do.

use serde::{Deserialize, Serialize};

/// A payment, and how the shop's webhook is to hear of it. What is left out is as [`Instruction::default`]
/// has it.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Instruction {
    /// Where the webhook is; without it, where the bank was set up to tell.
    pub webhook_url: Option<String>,
    /// The webhook's secret; without it, the one the bank was set up with.
    pub secret: Option<String>,
    /// The key of the signed form; without it, the one the bank was set up with.
    pub form_key: Option<String>,
    /// How the notification proves itself; without it, as the bank was set up.
    pub auth: Option<Auth>,
    /// Which of SePay's three formats is sent.
    pub format: Format,
    /// The order that is paid.
    pub order_id: String,
    /// How much, in dong.
    pub amount: i64,
    /// Which way the money goes.
    pub direction: Direction,
    /// The shop's account; without it, the one the bank was set up with.
    pub account: Option<String>,
    /// What the payer wrote; without it, the order's id and two words.
    pub memo: Option<String>,
    /// What became of the memo on its way, in this order.
    pub mangling: Vec<Mangling>,
    /// SePay's number of the transaction; without it, the next one.
    pub transaction_id: Option<u64>,
    /// The kind of a gateway's notification.
    pub notification_type: String,
    /// The status in a signed form.
    pub status: String,
    /// How often the notification is sent.
    pub copies: u32,
    /// Whether the copies go out at once.
    pub parallel: bool,
    /// What is wrong with the notification.
    pub flaw: Option<Flaw>,
    /// How long a minute of SePay's retry schedule takes, in milliseconds; without it, nothing is retried.
    pub minute_ms: Option<u64>,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u64,
    /// Whether an answer has to say `"success": true`, as SePay's older documentation has it.
    pub require_success_true: bool,
}

impl Default for Instruction {
    fn default() -> Self {
        Self {
            webhook_url: None,
            secret: None,
            form_key: None,
            auth: None,
            format: Format::BankTransfer,
            order_id: "LOBE7K3M9Q2X".to_owned(),
            amount: 99_000,
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

/// SePay's formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A transaction of a bank account.
    BankTransfer,
    /// A notification of the payment gateway.
    Gateway,
    /// The form of an older shop, signed over its fields.
    SignedForm,
    /// The same, signed over the fields as that shop's server completed them.
    CompletedForm,
}

/// How a notification proves that it is SePay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Not at all.
    None,
    /// The secret in a header: `Authorization: Apikey`, or the gateway's `X-Secret-Key`.
    ApiKey,
    /// An HMAC-SHA256 over time and body.
    Hmac,
}

/// Which way money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the shop.
    In,
    /// From the shop.
    Out,
}

/// What banks do to a memo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mangling {
    /// Drops everything but letters, digits and spaces.
    NoSigns,
    /// Drops what is not a letter or a digit, spaces included.
    NoSpaces,
    /// Writes small letters.
    LowerCase,
    /// Puts a space after every fourth character.
    Spaced,
    /// Puts words of its own around it, without a space before.
    Wrapped,
    /// Cuts it off in the middle of the order's id.
    CutOff,
    /// Finds no payment code in it.
    NoCode,
    /// Repeats it in the description alone.
    DescriptionOnly,
}

/// What SePay never sends, but others may, or what is unusual and allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// The transaction's number as a text.
    IdAsText,
    /// The amount as a text with two decimals.
    AmountAsText,
    /// Fields without a value left out.
    NullsAbsent,
    /// A field that nobody documents.
    UnknownField,
    /// Another secret than the agreed one.
    WrongKey,
    /// No header that proves anything.
    MissingHeader,
    /// A signature of the right form over something else; in a signed form, its own signature.
    WrongSignature,
    /// A signature made six minutes ago.
    OldTimestamp,
    /// One digit of the amount changed after signing.
    ChangedByte,
    /// The same JSON in another order, with the signature of the first.
    Reordered,
    /// A body that is no JSON.
    NotJson,
    /// A body of one mebibyte.
    TooLarge,
}
