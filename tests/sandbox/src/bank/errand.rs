//! Sends the notification of one payment, in one or more copies, until the shop accepts it.

use std::time::Duration;

use axum::http::Uri;

use super::instruction::{Auth, Instruction, Provider};
use super::ledger::{Attempt, Telling, Told};
use super::notification::Bodies;
use super::post::Message;
use super::proof::{self, Agreed};
use super::{Bank, now_ms, post, provider, seconds};

/// The waits of SePay's retry schedule before the second to the eighth attempt, in minutes.
const WAITS_MIN: [u64; 7] = [1, 1, 2, 3, 5, 8, 13];
/// How many characters of a body or an answer are kept.
const KEPT: usize = 2_000;

/// A notification that is being sent.
pub(super) struct Errand {
    pub(super) bank: Bank,
    pub(super) number: u64,
    pub(super) url: Uri,
    pub(super) transaction_id: u64,
    pub(super) secret: String,
    pub(super) auth: Auth,
    pub(super) instruction: Instruction,
    pub(super) bodies: Bodies,
}

impl Errand {
    /// Sends one copy again and again until the shop accepts it, or until SePay would give up.
    pub(super) async fn tell(&self, copy: u32) {
        let mut waits = WAITS_MIN.iter();
        while !self.attempt(copy).await {
            let wait = self.instruction.minute_ms.zip(waits.next());
            let Some((minute_ms, minutes)) = wait else {
                return;
            };
            tokio::time::sleep(Duration::from_millis(minute_ms * minutes)).await;
        }
    }

    async fn attempt(&self, copy: u32) -> bool {
        let timeout = Duration::from_millis(self.instruction.timeout_ms);
        let answer = post::send(&self.url, self.message(), timeout).await;
        let taken = answer.as_ref().is_ok_and(|answer| {
            (200..300).contains(&answer.status)
                && (!self.instruction.require_success_true || says_success(&answer.body))
        });
        let (status, answer, trouble) = match answer {
            Ok(answer) => (Some(answer.status), Some(beginning(&answer.body)), None),
            Err(trouble) => (None, None, Some(trouble)),
        };
        let attempt = Attempt {
            copy,
            at_ms: now_ms(),
            taken,
            status,
            answer,
            trouble,
        };
        let mut ledger = self.bank.ledger();
        ledger.change(self.number, |told| told.attempts.push(attempt));
        taken
    }

    /// Builds the request and signs it with the current time.
    fn message(&self) -> Message {
        let now_s = seconds(now_ms());
        let agreed = Agreed {
            format: self.instruction.format,
            auth: self.auth,
            flaw: self.instruction.flaw,
            secret: &self.secret,
        };
        let (instruction, secret) = (&self.instruction, self.secret.as_str());
        let signed = &self.bodies.signed;
        let headers = if instruction.provider == Provider::Sepay {
            proof::headers(&agreed, signed, now_s)
        } else {
            provider::headers(instruction, secret, signed, (self.transaction_id, now_s))
        };
        let query = provider::query(instruction, secret, &self.bodies);
        let body = query.is_none().then(|| self.bodies.sent.clone());
        Message {
            headers,
            query,
            body,
        }
    }

    /// Returns the ledger entry before the first attempt.
    pub(super) fn told(&self) -> Told {
        Told {
            number: self.number,
            transaction_id: 0,
            at_ms: 0,
            webhook_url: self.url.to_string(),
            provider: self.instruction.provider,
            format: self.instruction.format,
            auth: self.auth,
            flaw: self.instruction.flaw,
            order_id: self.instruction.order_id.clone(),
            amount: self.instruction.amount,
            currency: self
                .instruction
                .currency(self.instruction.provider.currency()),
            copies: self.instruction.copies,
            body: beginning(&self.bodies.sent),
            state: Telling::Underway,
            attempts: Vec::new(),
        }
    }
}

fn says_success(body: &str) -> bool {
    let body = serde_json::from_str::<serde_json::Value>(body).ok();
    body.is_some_and(|body| body.get("success") == Some(&true.into()))
}

fn beginning(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
