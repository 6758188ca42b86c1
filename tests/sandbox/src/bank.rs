//! A fake bank. The bank sends payment notifications to a shop's webhook in the formats of SePay, Polar, Stripe, payOS and
//! VNPay. On request, the bank also sends notifications with errors that these providers never make.
//!
//! For SePay, the bank uses three formats with each kind of proof. For each other provider, the bank signs as this provider
//! does. The bank changes memos as real banks do, repeats notifications, and follows SePay's retry schedule at any speed.
//! The bank shares no code with the proxy that receives the notifications. The bank calls only addresses of this machine
//! and the webhook in its options.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Uri;

pub(crate) mod api;
mod errand;
mod instruction;
mod ledger;
mod memo;
mod notification;
mod object;
mod payos;
mod polar;
mod post;
mod proof;
mod provider;
mod stripe;
mod vnpay;

pub use instruction::{Auth, Direction, Flaw, Format, Instruction, Kind, Mangling, Provider};
pub use ledger::{Attempt, Telling, Told};

use crate::Clock;
use errand::Errand;
use ledger::Ledger;
use notification::Facts;

/// How many copies of one notification can be sent at most.
const COPIES: u32 = 100;

/// The shop's settings at the providers. An instruction can override them.
#[derive(Clone, Debug)]
pub struct BankOptions {
    /// The address of the shop's SePay webhook. Default: none.
    pub webhook_url: Option<String>,
    /// The webhook's secret. Default: `sandbox-secret`.
    pub secret: String,
    /// The proof in a webhook call. Default: API key.
    pub auth: Auth,
    /// The key that signs notifications in the formats `signed_form` and `completed_form`. Default: `demo-secret`.
    pub form_key: String,
    /// The shop's account. Default: `0123499999`.
    pub account: String,
    /// The shop's terminal at VNPay. Default: `DUETTEST`.
    pub terminal: String,
    /// The length of a minute of SePay's retry schedule, in milliseconds. Default: no retries.
    pub minute_ms: Option<u64>,
    /// The webhook of each other provider, and its secret. Default: none.
    pub others: BTreeMap<Provider, Webhook>,
}

/// A webhook, and the secret with which its provider signs.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The webhook's address.
    pub url: String,
    /// The webhook's secret.
    pub secret: String,
}

impl Default for BankOptions {
    fn default() -> Self {
        Self {
            webhook_url: None,
            secret: "sandbox-secret".to_owned(),
            auth: Auth::ApiKey,
            form_key: "demo-secret".to_owned(),
            account: "0123499999".to_owned(),
            terminal: "DUETTEST".to_owned(),
            minute_ms: None,
            others: BTreeMap::new(),
        }
    }
}

/// The reason why an instruction cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInstruction {
    /// The bank has no webhook.
    #[error("webhook_url is required, because the bank has no webhook for this provider")]
    NoWebhook,
    /// The address is not valid.
    #[error("webhook_url must be http:// with a host and a path")]
    Url,
    /// The address is not on this machine.
    #[error("webhook_url must be a loopback address, or the webhook in the bank's options")]
    NotLoopback,
    /// The number of copies is zero or too large.
    #[error("copies must be 1 to 100")]
    Copies,
    /// One of the two times is longer than a test needs.
    #[error("minute_ms and timeout_ms must be at most 60000")]
    TooSlow,
}

/// The bank. Clones are handles to the same bank.
#[derive(Clone, Debug)]
pub struct Bank {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: BankOptions,
    ledger: Mutex<Ledger>,
}

impl Bank {
    pub(crate) fn new(options: BankOptions) -> Self {
        let ledger = Mutex::default();
        Self {
            shared: Arc::new(Shared { options, ledger }),
        }
    }

    /// Carries out an instruction with all retries, and returns the result.
    ///
    /// # Errors
    /// Returns [`BadInstruction`] if nothing was sent.
    pub async fn send(&self, instruction: Instruction) -> Result<Told, BadInstruction> {
        let errand = Arc::new(self.prepare(instruction)?);
        let number = errand.number;
        let parallel = errand.instruction.parallel;
        let mut under_way = Vec::new();
        for copy in 1..=errand.instruction.copies {
            // A separate task continues even if the caller disconnects.
            let errand = Arc::clone(&errand);
            let telling = tokio::spawn(async move { errand.tell(copy).await });
            under_way.push(telling);
            if !parallel {
                finish(&mut under_way).await;
            }
        }
        finish(&mut under_way).await;
        let mut ledger = self.ledger();
        ledger.change(number, Told::conclude);
        // The entry is missing only after a reset.
        let told = ledger.find(number).cloned();
        drop(ledger);
        Ok(told.unwrap_or_else(|| errand.told()))
    }

    /// Returns the newest thousand notifications, oldest first.
    pub fn told(&self) -> Vec<Told> {
        self.ledger().kept().cloned().collect()
    }

    /// Returns the shop's settings.
    pub fn options(&self) -> &BankOptions {
        &self.shared.options
    }

    pub(crate) fn reset(&self) {
        self.ledger().clear();
    }

    fn prepare(&self, mut instruction: Instruction) -> Result<Errand, BadInstruction> {
        let options = self.options();
        instruction.minute_ms = instruction.minute_ms.or(options.minute_ms);
        let agreed = options.others.get(&instruction.provider);
        let own = match instruction.provider {
            Provider::Sepay => options.webhook_url.as_deref(),
            _ => agreed.map(|webhook| webhook.url.as_str()),
        };
        let url = webhook(instruction.webhook_url.as_deref(), own)?;
        let secret = agreed.map_or(&options.secret, |webhook| &webhook.secret);
        let secret = instruction.secret.as_ref().unwrap_or(secret).clone();
        let account = match instruction.provider {
            Provider::Vnpay => &options.terminal,
            _ => &options.account,
        };
        if !(1..=COPIES).contains(&instruction.copies) {
            return Err(BadInstruction::Copies);
        }
        let longest_ms = instruction
            .minute_ms
            .unwrap_or_default()
            .max(instruction.timeout_ms);
        if longest_ms > 60_000 {
            return Err(BadInstruction::TooSlow);
        }
        let now_ms = now_ms();
        let transaction_id = instruction
            .transaction_id
            .unwrap_or_else(|| self.ledger().next_transaction());
        let facts = Facts {
            instruction: &instruction,
            transaction_id,
            account: instruction.account.as_ref().unwrap_or(account),
            form_key: instruction.form_key.as_ref().unwrap_or(&options.form_key),
            secret: &secret,
            now_s: seconds(now_ms),
        };
        let bodies = match instruction.provider {
            Provider::Sepay => notification::bodies(&facts),
            _ => provider::bodies(&facts),
        };
        let mut errand = Errand {
            bank: self.clone(),
            number: 0,
            url,
            transaction_id,
            secret,
            auth: instruction.auth.unwrap_or(options.auth),
            instruction,
            bodies,
        };
        let told = Told {
            transaction_id,
            at_ms: now_ms,
            ..errand.told()
        };
        errand.number = self.ledger().enter(told);
        Ok(errand)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        let ledger = self.shared.ledger.lock();
        ledger.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the requested address, or the address in the bank's options. The bank must not call another machine, except for
/// the webhook in its options.
fn webhook(wanted: Option<&str>, own: Option<&str>) -> Result<Uri, BadInstruction> {
    let text = wanted.or(own).ok_or(BadInstruction::NoWebhook)?;
    let url: Uri = text.parse().map_err(|_| BadInstruction::Url)?;
    let host = url.host().filter(|_| url.scheme_str() == Some("http"));
    let host = host.ok_or(BadInstruction::Url)?.trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if loopback || own == Some(text) {
        Ok(url)
    } else {
        Err(BadInstruction::NotLoopback)
    }
}

async fn finish(under_way: &mut Vec<tokio::task::JoinHandle<()>>) {
    for telling in under_way.drain(..) {
        // If the task panicked, its copy was not delivered. The ledger then shows that this copy has no answer.
        let _ = telling.await;
    }
}

/// Returns the time of the machine's clock and not of the sandbox's clock, because the receiver checks signatures by the
/// machine's clock.
fn now_ms() -> u64 {
    Clock::default().now_ms()
}

fn seconds(ms: u64) -> i64 {
    i64::try_from(ms / 1000).unwrap_or(i64::MAX)
}
