//! Receives payment webhooks. A payment and its events are on disk before the provider receives a status of 200.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

use super::{body, client, rejection::Rejection};
use crate::{
    app::App,
    decide::{Became, Receipt, Taken},
    payments::{
        Notification, Refused,
        provider::{self, Provider, Verdict},
    },
};

/// A provider's webhook. The proxy accepts its notifications only if `setting` is set.
#[derive(Clone, Copy)]
pub struct Webhook {
    /// The provider's name, in the path and in metrics.
    pub provider: &'static str,
    /// The path.
    pub path: &'static str,
    /// The setting that enables the webhook.
    pub setting: &'static str,
    is_get: bool,
}

/// The webhooks of all providers.
pub const WEBHOOKS: [Webhook; 5] = [
    webhook(
        "sepay",
        "/api/payment/sepay/webhook",
        "SEPAY_WEBHOOK_SECRET",
    ),
    webhook(
        "polar",
        "/api/payment/polar/webhook",
        "POLAR_WEBHOOK_SECRET",
    ),
    webhook(
        "stripe",
        "/api/payment/stripe/webhook",
        "STRIPE_WEBHOOK_SECRET",
    ),
    webhook("payos", "/api/payment/payos/webhook", "PAYOS_CHECKSUM_KEY"),
    Webhook {
        is_get: true,
        ..webhook("vnpay", "/api/payment/vnpay/webhook", "VNPAY_HASH_SECRET")
    },
];

const fn webhook(provider: &'static str, path: &'static str, setting: &'static str) -> Webhook {
    Webhook {
        provider,
        path,
        setting,
        is_get: false,
    }
}

impl Webhook {
    /// Returns the route's method and handler.
    pub fn route(self) -> MethodRouter<App> {
        let handler =
            move |State(app): State<App>,
                  ConnectInfo(peer): ConnectInfo<SocketAddr>,
                  request: Request| async move { self.answer(&app, peer, request).await };
        if self.is_get {
            get(handler)
        } else {
            post(handler)
        }
    }

    /// Answers a notification. A transfer that pays no order is not an error: the transfer is stored, and the provider need not
    /// send its notification again.
    async fn answer(
        self,
        app: &App,
        peer: SocketAddr,
        request: Request,
    ) -> Result<Response, Rejection> {
        let payments = app.payments.as_ref();
        let Some(provider) = payments.and_then(|payments| payments.provider(self.provider)) else {
            return Err(Rejection::NoWebhook(self.setting));
        };
        if request.method() == Method::HEAD {
            return Err(Rejection::MethodNotAllowed);
        }
        let (verdict, rejection) = match self.hear(app, provider, peer, request).await {
            Ok(verdict) => (verdict, None),
            Err(rejection) => (verdict_of(&rejection), Some(rejection)),
        };
        if verdict == Verdict::Unavailable {
            let advice = provider.after_failures();
            tracing::error!(
                provider = self.provider,
                advice,
                "payment notification could not be stored; the provider must send the notification again"
            );
        }
        // A client that has failed authentication too often receives the proxy's own answer with 429, not an answer in the
        // provider's format.
        let body = match rejection {
            Some(Rejection::TooMany { .. }) => None,
            _ => provider.answer(verdict),
        };
        match (body, rejection) {
            (Some(body), _) => {
                let json = HeaderValue::from_static("application/json");
                Ok(([(header::CONTENT_TYPE, json)], body).into_response())
            }
            (None, Some(rejection)) => Err(rejection),
            (None, None) => Err(Rejection::Unavailable),
        }
    }

    async fn hear(
        self,
        app: &App,
        provider: &dyn Provider,
        peer: SocketAddr,
        request: Request,
    ) -> Result<Verdict, Rejection> {
        let (Parts { headers, uri, .. }, body) = request.into_parts();
        let bytes = body::read(&headers, body).await?;
        let now_ms = app.intake.clock().day_ms();
        let read = provider.read(&provider::Request {
            headers: &headers,
            query: uri.query().unwrap_or_default(),
            body: &bytes,
            now_s: now_ms / 1000,
        });
        let (transfer, parked) = match read {
            Ok(Notification::Paid(transfer)) => (transfer, None),
            Ok(Notification::Parked(transfer, reason)) => (transfer, Some(reason)),
            Ok(Notification::Ignored(reason)) => {
                tracing::info!(
                    provider = self.provider,
                    reason,
                    "payment notification ignored"
                );
                app.metrics.heard_of_payment(self.provider, "ignored");
                app.recent
                    .notified(self.provider, |seen| seen.proven_ms = Some(now_ms));
                return Ok(Verdict::Ignored);
            }
            Err(Refused::Unauthorised) => {
                let address = client::address(peer, &headers, &app.server.trusted_proxies);
                app.rates.check(address)?;
                app.key_guesses.check(address)?;
                app.recent
                    .notified(self.provider, |seen| seen.unproven_ms = Some(now_ms));
                tracing::warn!(
                    provider = self.provider,
                    setting = self.setting,
                    advice = provider.after_failures(),
                    "payment notification rejected, because it does not prove that the provider sent it. If the provider has sent the notification, compare the setting with the secret at the provider, let the web server pass the body on unchanged, and check this machine's clock"
                );
                return Err(Rejection::NotTheProvider);
            }
            Err(Refused::NotJson) => return Err(Rejection::NotJson),
            Err(Refused::Invalid(errors)) => {
                let first = errors.first();
                tracing::warn!(
                    provider = self.provider,
                    field = first.map(|error| &*error.field),
                    rule = first.map(|error| &*error.rule),
                    advice = provider.after_failures(),
                    "a signed payment notification cannot be read; its money is not recorded"
                );
                app.metrics.heard_of_payment(self.provider, "unreadable");
                app.recent
                    .notified(self.provider, |seen| seen.unreadable_ms = Some(now_ms));
                return Err(Rejection::broken(errors));
            }
        };
        app.recent
            .notified(self.provider, |seen| seen.proven_ms = Some(now_ms));
        let settings = app.payments.as_ref();
        let receipt = Receipt {
            transfer,
            parked,
            pattern: settings.and_then(|payments| payments.order_pattern.clone()),
            renewals: settings.and_then(|payments| payments.renewals.clone()),
            destinations: app.pixels.now().destinations_at(now_ms),
        };
        let taken = app.intake.orders().pay(receipt).await?;
        self.note(app, &taken);
        Ok(verdict(&taken))
    }

    /// Logs and counts the result of a transfer, without its contents.
    fn note(self, app: &App, taken: &Taken) {
        let Taken {
            payment,
            is_repeat,
            is_unattributed,
        } = taken;
        let became = match payment.reason.as_deref() {
            _ if *is_repeat => "repeat",
            Some(reason) => reason,
            None => payment.became.label(),
        };
        app.metrics.heard_of_payment(self.provider, became);
        if *is_unattributed {
            app.metrics.unattributed.inc();
        }
        let order_id = payment.order_id.as_deref();
        let provider = self.provider;
        if !is_repeat && payment.became.is_parked() {
            tracing::warn!(
                provider,
                transfer = payment.id,
                order_id,
                became,
                "a payment needs manual review; `duet-proxy payments list` shows it"
            );
        } else {
            tracing::info!(
                provider,
                transfer = payment.id,
                order_id,
                became,
                "a payment"
            );
        }
    }
}

fn verdict(taken: &Taken) -> Verdict {
    match taken.payment.became {
        Became::Unmatched | Became::Ambiguous => Verdict::UnknownOrder,
        // The transfer is already stored, so the provider need not send its notification again.
        _ if taken.is_repeat => Verdict::Repeat,
        Became::Partial | Became::OtherCurrency => Verdict::OtherAmount,
        Became::NotCounted => Verdict::NotCounted,
        Became::PaidBefore => Verdict::Repeat,
        _ => Verdict::Recorded,
    }
}

fn verdict_of(rejection: &Rejection) -> Verdict {
    match rejection {
        Rejection::NotTheProvider => Verdict::Unproven,
        Rejection::Overloaded | Rejection::DiskFull | Rejection::Unavailable => {
            Verdict::Unavailable
        }
        _ => Verdict::Unusable,
    }
}
