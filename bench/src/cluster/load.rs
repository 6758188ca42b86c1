//! Callers that act like pages, shops and banks: they repeat each call with the same ids at another proxy until one proxy
//! has accepted it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use duet_sandbox::{Bank, Instruction};
use hyper::{StatusCode, body::Bytes};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::book::Book;
use crate::{client::Client, event};

/// The key of the shop's server.
pub(super) const KEY: &str = "cluster-bench-key";
pub(super) const PRICE: i64 = 99_000;
pub(super) const WEBHOOK: &str = "/api/payment/sepay/webhook";
/// The time limit of a call. A proxy answers sooner, so the longest measured call shows the proxy's own limit.
const CALL: Duration = Duration::from_secs(40);
/// How long a caller repeats a call before it gives up.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(20);

/// One caller.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) book: Arc<Book>,
    pub(super) proxies: [SocketAddr; 3],
    pub(super) bank: Bank,
    pub(super) http: Client,
}

/// A call of a route.
pub(super) struct Call<'a> {
    pub(super) path: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) body: String,
}

impl Caller {
    /// Makes one call after another until the book is closed.
    pub(super) async fn call(self) {
        while self.book.is_open() {
            if fastrand::u8(..4) == 0 {
                self.sell().await;
            } else {
                self.track().await;
            }
            sleep(Duration::from_millis(fastrand::u64(5..15))).await;
        }
    }

    async fn track(&self) {
        let number = self.book.new_number();
        if self.is_accepted(&event::one(number)).await {
            self.book.accept(number);
        }
    }

    /// Registers an order, and pays it at another proxy. For every second order, the page reports the payment too.
    async fn sell(&self) {
        let number = self.book.new_number();
        let order = format!("NET{number:010}");
        let registration = json!({ "order_id": order, "amount": PRICE, "currency": "VND", "plan_id": "starter",
                                   "plan_name": "Starter", "billing_cycle": "monthly" });
        let register = Call {
            path: "/api/orders",
            key: Some(KEY),
            body: registration.to_string(),
        };
        if self.until_answered(&register).await.is_none() {
            return;
        }
        let is_reported = number.is_multiple_of(2);
        let paid = json!({ "event": "CompletePayment", "user": { "external_id": "u" },
                           "properties": { "order_id": order, "value": PRICE, "currency": "VND" } });
        if is_reported && !self.is_accepted(&paid.to_string()).await {
            return;
        }
        if self.pay(&order, number).await {
            self.book.sell(order, is_reported);
        }
    }

    /// Posts an event, and returns whether a proxy has accepted it. `duplicate` is a success: an earlier try got no answer,
    /// but the proxy had accepted the event.
    async fn is_accepted(&self, event: &str) -> bool {
        let track = Call {
            path: event::TRACK,
            key: None,
            body: event.to_owned(),
        };
        let Some(answer) = self.until_answered(&track).await else {
            return false;
        };
        let status = answer.get("status").and_then(Value::as_str);
        let status = status.unwrap_or_default();
        let is_accepted = ["accepted", "duplicate", "held"].contains(&status);
        if !is_accepted {
            self.book.problem(format!(
                "an event must be accepted, held or a duplicate, got the status {status}"
            ));
        }
        is_accepted
    }

    /// Lets the bank repeat its notification until a proxy has accepted it.
    async fn pay(&self, order: &str, transaction: u64) -> bool {
        let begun = Instant::now();
        let mut at = fastrand::usize(..3);
        while begun.elapsed() < PATIENCE {
            let called = Instant::now();
            let notification = Instruction {
                webhook_url: Some(self.url(at, WEBHOOK)),
                order_id: order.to_owned(),
                amount: PRICE,
                transaction_id: Some(transaction),
                timeout_ms: 40_000,
                ..Instruction::default()
            };
            let told = self.bank.send(notification).await;
            let attempts = told.map(|told| told.attempts).unwrap_or_default();
            let taken = attempts.last().is_some_and(|attempt| attempt.taken);
            if taken {
                self.book.answered(called.elapsed());
                return true;
            }
            self.book.failed(at, called.elapsed());
            at = (at + 1) % 3;
            sleep(PAUSE).await;
        }
        self.book
            .problem("no proxy accepted a payment in time".to_owned());
        false
    }

    /// Calls one proxy after another until one answers with a success.
    pub(super) async fn until_answered(&self, call: &Call<'_>) -> Option<Value> {
        let begun = Instant::now();
        let mut at = fastrand::usize(..3);
        while begun.elapsed() < PATIENCE {
            let called = Instant::now();
            match self.once(at, call).await {
                Ok(Ok((status, body))) if status.is_success() => {
                    self.book.answered(called.elapsed());
                    return serde_json::from_slice(&body).ok();
                }
                Ok(Ok((status, _))) if !status.is_server_error() => {
                    self.book
                        .problem(format!("{} answered {status}", call.path));
                    return None;
                }
                _ => self.book.failed(at, called.elapsed()),
            }
            at = (at + 1) % 3;
            sleep(PAUSE).await;
        }
        self.book.problem(format!(
            "no proxy answered {} with a success in time",
            call.path
        ));
        None
    }

    /// Calls one proxy once. The outer error says that the time limit was reached, and the inner error says that the
    /// request failed.
    pub(super) async fn once(
        &self,
        at: usize,
        call: &Call<'_>,
    ) -> Result<Result<(StatusCode, Bytes)>, tokio::time::error::Elapsed> {
        let url = self.url(at, call.path);
        timeout(CALL, self.http.post_as(&url, call.key, call.body.clone())).await
    }

    /// Returns the address of a route of one proxy.
    pub(super) fn url(&self, at: usize, path: &str) -> String {
        let address = self.proxies.get(at).copied();
        address.map_or_else(String::new, |address| format!("http://{address}{path}"))
    }
}
