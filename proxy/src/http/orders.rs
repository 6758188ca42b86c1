//! Orders: the shop's server registers them, pages ask how far they are.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use duet_events::{
    Invalid,
    order::{self, Order as Registration},
};
use serde::Serialize;
use serde_json::{Number, value::RawValue};

use super::{body, caller, client, rejection::Rejection};
use crate::{
    admit::Caller,
    app::App,
    orders::{Order, Status, Unregistered},
    queue,
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
    /// For the shop's own server.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    money: Option<Money>,
}

/// What is to be paid for an order, and what has been.
#[derive(Debug, Serialize)]
struct Money {
    /// The registered amount, in units of `currency`; `null` while only pages named the order.
    amount: Option<Number>,
    currency: Option<String>,
    /// In dong.
    received: i64,
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Json<Registered>, Rejection> {
    let (Parts { headers, .. }, body) = request.into_parts();
    let address = client::address(peer, &headers, &app.server.trusted_proxies);
    if caller::of(&app, &headers, address)? != Caller::Server {
        return Err(Rejection::WrongServerKey);
    }
    let bytes = body::read(&headers, body).await?;
    let raw: &RawValue = serde_json::from_slice(&bytes).map_err(|_| Rejection::NotJson)?;
    let mut order = Registration::read(raw, app.country).map_err(Rejection::broken)?;
    let warnings = std::mem::take(&mut order.warnings);
    let destination = app.destination_at(app.intake.clock().day_ms());
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

/// `GET /api/orders/{order_id}`. No cache keeps the answer: a page asks until it changes.
pub async fn status(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    order_id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let mut response = standing(&app, peer, order_id, &headers)
        .await
        .into_response();
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

/// How far an order is; with the server key, in money too.
///
/// # Errors
/// [`Rejection::NotFound`] for an id that is no text, [`Rejection::WrongServerKey`], [`Rejection::TooMany`], and
/// [`Rejection::Unavailable`] when the store cannot be read.
async fn standing(
    app: &App,
    peer: SocketAddr,
    order_id: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
) -> Result<Json<Standing>, Rejection> {
    let Path(order_id) = order_id.map_err(|_| Rejection::NotFound)?;
    let address = client::address(peer, headers, &app.server.trusted_proxies);
    let caller = caller::of(app, headers, address)?;
    let id = order::clean_id(&order_id);
    if caller == Caller::Page {
        app.status_rates.check(address)?;
        // Invisible characters around a short id make it no harder to guess.
        if id.as_ref().is_some_and(|id| id.chars().count() < GUESSABLE) {
            app.guesses.check(address)?;
        }
    }
    let known = match id {
        Some(id) => {
            let (orders, id) = (app.intake.orders().clone(), id.into_owned());
            queue::blocking(move || orders.find(&id)).await?
        }
        None => None,
    };
    let mut standing = match &known {
        Some(order) if order.status() != Status::Unknown => Standing::of(order),
        _ => Standing {
            order_id,
            status: Status::Unknown,
            event_ids: BTreeMap::new(),
            money: None,
        },
    };
    if caller == Caller::Server {
        standing.money = known.as_ref().map(Money::of);
    }
    Ok(Json(standing))
}

impl Standing {
    fn of(order: &Order) -> Self {
        Self {
            order_id: order.id().to_owned(),
            status: order.status(),
            event_ids: order.reported().clone(),
            money: None,
        }
    }
}

impl Money {
    fn of(order: &Order) -> Self {
        let (amount, currency) = order.amount().unzip();
        Self {
            amount: amount.and_then(number),
            currency: currency.map(str::to_owned),
            received: order.received(),
        }
    }
}

/// A whole amount without a point.
fn number(amount: f64) -> Option<Number> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a whole amount is at most 10^15"
    )]
    if amount.fract() == 0.0 {
        Some(Number::from(amount as i64))
    } else {
        Number::from_f64(amount)
    }
}
