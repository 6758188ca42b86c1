//! Orders: the shop's server registers them, pages ask how far they are.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderMap, request::Parts},
};
use duet_events::{
    Invalid,
    order::{self, Order as Registration},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{body, client, rejection::Rejection};
use crate::{
    admit::Caller,
    app::App,
    clock,
    identity::server_key,
    orders::{Order, Status, Unregistered},
};

/// Ids with fewer characters can be guessed one by one; who asks for such may ask less often.
const GUESSABLE: usize = 10;

/// How far an order is, and under which ids it was reported. Nothing of it is personal.
#[derive(Debug, Serialize)]
pub struct Standing {
    order_id: String,
    status: Status,
    /// The id under each event's name.
    event_ids: BTreeMap<String, String>,
}

/// The answer to a registration.
#[derive(Debug, Serialize)]
pub struct Registered {
    success: bool,
    #[serde(flatten)]
    standing: Standing,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Invalid>,
}

/// `POST /api/orders`: what is to be paid, and by whom. It is on disk when this answers.
///
/// # Errors
/// As [`Rejection`] says.
pub async fn register(
    State(app): State<App>,
    request: Request,
) -> Result<Json<Registered>, Rejection> {
    let (Parts { headers, .. }, body) = request.into_parts();
    if server_key::caller(&headers, app.server.server_key.as_ref())? != Caller::Server {
        return Err(Rejection::WrongServerKey);
    }
    let bytes = body::read(&headers, body).await?;
    let raw: &RawValue = serde_json::from_slice(&bytes).map_err(|_| Rejection::NotJson)?;
    let mut order = Registration::read(raw, app.country).map_err(Rejection::broken)?;
    let warnings = std::mem::take(&mut order.warnings);
    let destination = app.destination_at(clock::now_ms());
    let registered = app.intake.orders().register(order, destination).await?;
    let order = registered.map_err(|unregistered| match unregistered {
        Unregistered::Paid => Rejection::OrderPaid,
        Unregistered::Replaced => Rejection::OrderReplaced,
    })?;
    Ok(Json(Registered {
        success: true,
        standing: Standing::of(&order),
        warnings,
    }))
}

/// `GET /api/orders/{order_id}`.
///
/// # Errors
/// [`Rejection::TooMany`], and [`Rejection::Unavailable`] when the store cannot be read.
pub async fn status(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(order_id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Standing>, Rejection> {
    let address = client::address(peer, &headers, &app.server.trusted_proxies);
    app.rates.check(address)?;
    if order_id.chars().count() < GUESSABLE {
        app.guesses.check(address)?;
    }
    let known = if order::is_order_id(&order_id) {
        app.intake.orders().find(&order_id)?
    } else {
        None
    };
    Ok(Json(match known {
        Some(order) => Standing::of(&order),
        None => Standing {
            order_id,
            status: Status::Unknown,
            event_ids: BTreeMap::new(),
        },
    }))
}

impl Standing {
    fn of(order: &Order) -> Self {
        Self {
            order_id: order.id().to_owned(),
            status: order.status(),
            event_ids: order.reported().clone(),
        }
    }
}
