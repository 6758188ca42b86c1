//! A fake bank: it tells a shop's webhook of payments as SePay does, and as SePay never should.
//!
//! It speaks SePay's three formats with each way to prove them, does to memos what banks do, repeats itself, and
//! keeps to SePay's retry schedule, at any speed. It shares no code with the receivers it talks to, and talks to
//! nobody but this machine and the webhook it was set up with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Uri;

pub(crate) mod api;
mod errand;
mod instruction;
mod ledger;
mod memo;
mod notification;
mod object;
mod post;
mod proof;

pub use instruction::{Auth, Direction, Flaw, Format, Instruction, Mangling};
pub use ledger::{Attempt, Telling, Told};

use crate::Clock;
use errand::Errand;
use ledger::Ledger;
use notification::Facts;

/// The most copies of one notification.
const COPIES: u32 = 100;

/// What the shop agreed with SePay; an instruction may say otherwise.
#[derive(Clone, Debug)]
pub struct BankOptions {
    /// Where the shop's webhook is. Default: nowhere.
    pub webhook_url: Option<String>,
    /// The webhook's secret. Default: `sandbox-secret`.
    pub secret: String,
    /// How the webhook is proven. Default: by API key.
    pub auth: Auth,
    /// The key of the signed form. Default: `demo-secret`.
    pub form_key: String,
    /// The shop's account. Default: `0123499999`.
    pub account: String,
}

impl Default for BankOptions {
    fn default() -> Self {
        Self {
            webhook_url: None,
            secret: "sandbox-secret".to_owned(),
            auth: Auth::ApiKey,
            form_key: "demo-secret".to_owned(),
            account: "0123499999".to_owned(),
        }
    }
}

/// Why an instruction cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInstruction {
    /// The bank knows no webhook.
    #[error("webhook_url: the bank was not set up with one, so the instruction needs one")]
    NoWebhook,
    /// The address is not one.
    #[error("webhook_url: this is http:// with a host and a path")]
    Url,
    /// The address leads off this machine.
    #[error(
        "webhook_url: the bank talks to loopback addresses and to the webhook it was set up with"
    )]
    NotLoopback,
    /// Too many copies, or none.
    #[error("copies: this is 1 to 100")]
    Copies,
    /// Longer than anything has to take.
    #[error("minute_ms and timeout_ms: these are at most 60000")]
    TooSlow,
}

/// The bank. Clones are handles to the same one.
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

    /// Follows an instruction to its end, retries included, and says what came of it.
    ///
    /// # Errors
    /// [`BadInstruction`] when nothing was sent.
    pub async fn send(&self, instruction: Instruction) -> Result<Told, BadInstruction> {
        let errand = Arc::new(self.prepare(instruction)?);
        let number = errand.number;
        let parallel = errand.instruction.parallel;
        let mut under_way = Vec::new();
        for copy in 1..=errand.instruction.copies {
            // A task of its own goes on when whoever gave the instruction hangs up.
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
        // Only a reset in between can have taken it away.
        let told = ledger.find(number).cloned();
        drop(ledger);
        Ok(told.unwrap_or_else(|| errand.told()))
    }

    /// What was sent, oldest first; the newest thousand.
    pub fn told(&self) -> Vec<Told> {
        self.ledger().kept().cloned().collect()
    }

    /// What the shop agreed on.
    pub fn options(&self) -> &BankOptions {
        &self.shared.options
    }

    pub(crate) fn reset(&self) {
        self.ledger().clear();
    }

    fn prepare(&self, instruction: Instruction) -> Result<Errand, BadInstruction> {
        let options = self.options();
        let url = self.webhook(instruction.webhook_url.as_deref())?;
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
        let bodies = notification::bodies(&Facts {
            instruction: &instruction,
            transaction_id,
            account: instruction.account.as_ref().unwrap_or(&options.account),
            form_key: instruction.form_key.as_ref().unwrap_or(&options.form_key),
            now_s: seconds(now_ms),
        });
        let mut errand = Errand {
            bank: self.clone(),
            number: 0,
            url,
            secret: instruction
                .secret
                .clone()
                .unwrap_or_else(|| options.secret.clone()),
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

    fn webhook(&self, wanted: Option<&str>) -> Result<Uri, BadInstruction> {
        let own = self.options().webhook_url.as_deref();
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

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        let ledger = self.shared.ledger.lock();
        ledger.unwrap_or_else(PoisonError::into_inner)
    }
}

async fn finish(under_way: &mut Vec<tokio::task::JoinHandle<()>>) {
    for telling in under_way.drain(..) {
        // A task that ended badly has left its copy undelivered, which the ledger shows.
        let _ = telling.await;
    }
}

/// The machine's own time: the receiver knows no other.
fn now_ms() -> u64 {
    Clock::default().now_ms()
}

fn seconds(ms: u64) -> i64 {
    i64::try_from(ms / 1000).unwrap_or(i64::MAX)
}
