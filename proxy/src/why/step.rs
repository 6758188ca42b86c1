//! The steps of an explanation, in words.

use serde::{Deserialize, Serialize};

use super::{Text, vietnamese};
use crate::history::Sender;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When the step happened, in Unix milliseconds.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub did: Did,
    /// The step in words.
    pub says: Text,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields have the names of the things")]
pub enum Did {
    /// The event happened, in a browser or at a server.
    Happened { event: String },
    /// The proxy rejected the event.
    Rejected { field: String, rule: String },
    /// The proxy accepted the event.
    Accepted {
        event: String,
        by: Option<Sender>,
        pixel: String,
    },
    /// The proxy holds the event until the order is paid.
    Held { event: String },
    /// The proxy recognised a repeat.
    Repeated { by: Option<Sender> },
    /// The order was begun or registered.
    Began { registered: bool },
    /// A transfer arrived.
    Transfer {
        provider: String,
        id: String,
        amount: String,
        became: String,
    },
    /// The order was paid.
    Paid,
    /// The event was sent to TikTok without success.
    Tried {
        event: String,
        attempts: u32,
        code: Option<i64>,
    },
    /// The event is sent again at this time, which is in the future.
    TriesNext { event: String, attempt: u32 },
    /// The event was sent to TikTok, and ended.
    Ended {
        event: String,
        outcome: String,
        attempts: u32,
        batch: u32,
        code: Option<i64>,
        request_id: Option<String>,
        message: Option<String>,
    },
    /// An operator withdrew the order.
    Withdrawn,
}

impl Step {
    pub(super) fn new(at_ms: i64, did: Did) -> Self {
        let says = did.says();
        Self { at_ms, did, says }
    }
}

impl Did {
    fn says(&self) -> Text {
        let text = |en: String, vi: String| Text { en, vi };
        match self {
            Self::Happened { event } => {
                text(format!("{event} happened"), format!("{event} xảy ra"))
            }
            Self::Rejected { field, rule } => text(
                format!("the proxy rejected the event: {field} broke the rule {rule}"),
                format!("proxy từ chối sự kiện: {field} vi phạm quy tắc {rule}"),
            ),
            Self::Accepted { event, by, pixel } => text(
                format!(
                    "the proxy accepted {event} from {}; the Pixel's copy: {pixel}",
                    sender(*by)
                ),
                format!(
                    "proxy nhận {event} từ {}; bản của Pixel: {}",
                    sender_vi(*by),
                    vietnamese::pixel(pixel)
                ),
            ),
            Self::Held { event } => text(
                format!("the proxy stored {event}, and will send it once the order is paid"),
                format!("proxy đã lưu {event}, và sẽ gửi khi đơn hàng được thanh toán"),
            ),
            Self::Repeated { by } => text(
                format!(
                    "{} sent the event again; the proxy answered duplicate",
                    sender(*by)
                ),
                format!(
                    "{} gửi lại sự kiện; proxy trả lời trùng lặp",
                    sender_vi(*by)
                ),
            ),
            Self::Began { registered: true } => text(
                "the shop's server registered the order".to_owned(),
                "máy chủ của cửa hàng đã đăng ký đơn hàng".to_owned(),
            ),
            Self::Began { registered: false } => text(
                "a page started the order; the shop's server has not registered the order"
                    .to_owned(),
                "trang web bắt đầu đơn hàng; máy chủ của cửa hàng chưa đăng ký đơn hàng".to_owned(),
            ),
            Self::Transfer {
                provider,
                id,
                amount,
                became,
            } => text(
                format!("{provider} reported transfer {id} of {amount}: {became}"),
                format!(
                    "{provider} báo giao dịch {id}, {}: {}",
                    vietnamese::amount(amount),
                    vietnamese::became(became)
                ),
            ),
            Self::Tried {
                event,
                attempts,
                code: Some(code),
            } => text(
                format!(
                    "{event} was sent to TikTok (attempt {attempts}): not accepted, code {code}"
                ),
                format!("{event} được gửi tới TikTok (lần {attempts}): chưa được nhận, mã {code}"),
            ),
            Self::Tried {
                event,
                attempts,
                code: None,
            } => text(
                format!("{event} was sent to TikTok (attempt {attempts}): TikTok did not answer"),
                format!("{event} được gửi tới TikTok (lần {attempts}): TikTok không trả lời"),
            ),
            Self::TriesNext { event, attempt } => text(
                format!("the proxy will send {event} to TikTok (attempt {attempt})"),
                format!("proxy sẽ gửi {event} tới TikTok (lần {attempt})"),
            ),
            Self::Paid => text(
                "the order is paid".to_owned(),
                "đơn hàng đã được thanh toán".to_owned(),
            ),
            Self::Ended { .. } => self.ended(),
            Self::Withdrawn => text(
                "an operator withdrew the order".to_owned(),
                "người vận hành đã rút đơn hàng".to_owned(),
            ),
        }
    }

    fn ended(&self) -> Text {
        let Self::Ended {
            event,
            outcome,
            attempts,
            batch,
            code,
            request_id,
            message,
        } = self
        else {
            return Text::default();
        };
        let outcome_vi = vietnamese::outcome(outcome);
        let (mut en, mut vi) = match attempts {
            0 => (
                format!("{event} ended without being sent to TikTok: {outcome}"),
                format!("{event} kết thúc mà chưa được gửi tới TikTok: {outcome_vi}"),
            ),
            _ => (
                format!(
                    "{event} was sent to TikTok (attempt {attempts}, events in the request: {batch}): {outcome}"
                ),
                format!(
                    "{event} được gửi tới TikTok (lần {attempts}, số sự kiện trong yêu cầu: {batch}): {outcome_vi}"
                ),
            ),
        };
        for (text, code_word, request_word) in
            [(&mut en, "code", "request"), (&mut vi, "mã", "yêu cầu")]
        {
            let more = [
                code.map(|code| format!(", {code_word} {code}")),
                message.as_ref().map(|message| format!(" \"{message}\"")),
                request_id
                    .as_ref()
                    .map(|id| format!(", {request_word} {id}")),
            ];
            text.extend(more.into_iter().flatten());
        }
        Text { en, vi }
    }
}

fn sender(sender: Option<Sender>) -> &'static str {
    match sender {
        Some(Sender::Page) => "a page",
        Some(Sender::Server) => "the shop's server",
        Some(Sender::Payment) => "a payment",
        None => "an unknown sender",
    }
}

fn sender_vi(sender: Option<Sender>) -> &'static str {
    match sender {
        Some(Sender::Page) => "trang web",
        Some(Sender::Server) => "máy chủ của cửa hàng",
        Some(Sender::Payment) => "một khoản thanh toán",
        None => "nguồn không rõ",
    }
}
