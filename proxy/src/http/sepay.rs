//! SePay's webhook: a payment is on disk, and its events with it, before SePay hears that all is well.

use std::net::SocketAddr;

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::request::Parts,
};
use serde::Serialize;

use super::{body, client, rejection::Rejection};
use crate::{
    app::App,
    decide::{Receipt, Taken},
    payments::{Notification, Refused, sepay},
};

/// What SePay wants to hear.
#[derive(Debug, Serialize)]
pub struct Thanks {
    success: bool,
}

/// `POST /api/payment/sepay/webhook`. A transfer that pays no order is no error: it is put on record, and SePay need
/// not send it again.
///
/// # Errors
/// As [`Rejection`] says.
pub async fn post(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Json<Thanks>, Rejection> {
    let (Parts { headers, .. }, body) = request.into_parts();
    let payments = app.payments.as_ref().ok_or(Rejection::NoWebhook)?;
    let bytes = body::read(&headers, body).await?;
    let now_ms = app.intake.clock().day_ms();
    let (transfer, parked) = match sepay::read(&payments.sepay, &headers, &bytes, now_ms / 1000) {
        Ok(Notification::Paid(transfer)) => (transfer, None),
        Ok(Notification::Parked(transfer, reason)) => (transfer, Some(reason)),
        Ok(Notification::Ignored(reason)) => {
            tracing::info!(reason, "a notification asks for nothing");
            app.metrics.heard_of_payment("sepay", "ignored");
            return Ok(Json(Thanks { success: true }));
        }
        Err(Refused::Unauthorised) => {
            let address = client::address(peer, &headers, &app.server.trusted_proxies);
            app.rates.check(address)?;
            app.key_guesses.check(address)?;
            tracing::warn!("a payment notification does not prove who sent it");
            return Err(Rejection::NotTheProvider);
        }
        Err(Refused::NotJson) => return Err(Rejection::NotJson),
        Err(Refused::Invalid(errors)) => return Err(Rejection::broken(errors)),
    };
    let receipt = Receipt {
        transfer,
        parked,
        pattern: payments.order_pattern.clone(),
        destination: app.destination_at(now_ms),
    };
    note(&app, &app.intake.orders().pay(receipt).await?);
    Ok(Json(Thanks { success: true }))
}

/// In the log and in the metrics: what became of a transfer, and never what it said.
fn note(app: &App, taken: &Taken) {
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
    app.metrics.heard_of_payment("sepay", became);
    if *is_unattributed {
        app.metrics.unattributed.inc();
    }
    let order_id = payment.order_id.as_deref();
    if !is_repeat && payment.became.is_parked() {
        tracing::warn!(
            transfer = payment.id,
            order_id,
            became,
            "a payment needs a look"
        );
    } else {
        tracing::info!(transfer = payment.id, order_id, became, "a payment");
    }
}
