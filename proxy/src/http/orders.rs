//! Routes for orders: the shop's server registers orders, and pages ask for the status of orders.

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
    rule::{reject, remark},
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{body, caller, client, rejection::Rejection};
use crate::{
    admit::Caller,
    app::App,
    decide::Reports,
    money,
    orders::{Moved, Order, Status, Unregistered},
    payments::provider,
    queue,
};

/// An order id with fewer characters than this can be guessed, so a client can ask for such ids less often than for longer
/// ids.
const GUESSABLE: usize = 10;

/// The status of an order, and the event ids under which it was reported. Contains no personal data.
#[derive(Debug, Serialize)]
pub struct Standing {
    order_id: String,
    status: Status,
    /// The event id for each event name.
    event_ids: BTreeMap<String, String>,
    /// The amounts of the order. Only the shop's own server receives these amounts.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    money: Option<Money>,
}

/// The amount to be paid for an order, and the amounts that were paid.
#[derive(Debug, Serialize)]
struct Money {
    /// The registered amount, in units of `currency`. `null` while only pages have named the order.
    amount: Option<Box<RawValue>>,
    currency: Option<&'static str>,
    /// The amount received for the sale, in units of `received_currency`.
    received: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_currency: Option<&'static str>,
    /// The amount that remains after refunds, in `received_currency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    net_value: Option<Box<RawValue>>,
    /// All payments and refunds of the order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<Moved>,
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

/// Answers `POST /api/orders`: registers the amount of an order and the customer who pays the order. The registration is on
/// disk before the proxy answers.
///
/// # Errors
/// Described at [`Rejection`].
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
    let mut warnings = std::mem::take(&mut order.warnings);
    warnings.extend(unused_references(&app, &order));
    app.metrics.warned(&warnings);
    let now_ms = app.intake.clock().day_ms();
    let pixels = app.pixels.now();
    if order.pixel_ids.iter().any(|id| !pixels.has(id)) {
        let unknown = Invalid::of(&reject::UNKNOWN_PIXEL, "pixel_ids");
        return Err(Rejection::broken(vec![unknown]));
    }
    let payments = app.payments.as_ref();
    let reports = Reports {
        destinations: pixels.destinations_at(now_ms),
        renewals: payments.and_then(|payments| payments.renewals.clone()),
    };
    let registered = app.intake.orders().register(order, reports).await?;
    let order = registered.map_err(|unregistered| match unregistered {
        Unregistered::Paid => Rejection::OrderPaid,
        Unregistered::Replaced => Rejection::OrderReplaced,
        Unregistered::ReferenceTaken => Rejection::ReferenceTaken,
    })?;
    Ok(Json(Registered {
        success: true,
        standing: Standing::of(&order),
        warnings,
    }))
}

/// Returns a warning for each provider in `references` whose webhook is not set up, or whose notifications do not name
/// orders by such a reference.
fn unused_references(app: &App, order: &Registration) -> Vec<Invalid> {
    let payments = app.payments.as_ref();
    let is_unused = |name: &&String| {
        let provider = payments.and_then(|payments| payments.provider(name));
        !provider.is_some_and(provider::Provider::uses_references)
    };
    let unused = order.references.keys().filter(is_unused);
    let path = |name: &String| format!("references.{name}");
    unused
        .map(|name| Invalid::of(&remark::REFERENCE, path(name)))
        .collect()
}

/// Answers `GET /api/orders/{order_id}`. The answer forbids caches to store it, because a page repeats the request until
/// the status changes.
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

/// Returns the status of an order. Includes the amounts if the request has the server key.
///
/// # Errors
/// [`Rejection::NotFound`] for an id that is not text, [`Rejection::WrongServerKey`], [`Rejection::TooMany`], and
/// [`Rejection::Unavailable`] if the store cannot be read.
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
        // Invisible characters around a short id do not make it harder to guess.
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
        let (due, received) = (order.due(), order.received());
        let currency = |money: money::Money| money.currency().as_str();
        let nothing = money::Money::zero(money::Currency::VND);
        Self {
            amount: due.and_then(money::Money::json),
            currency: due.map(currency),
            received: received.unwrap_or(nothing).json(),
            received_currency: received.map(currency),
            net_value: order.net().and_then(money::Money::json),
            kinds: order.sums().into_iter().map(Moved::from).collect(),
        }
    }
}
