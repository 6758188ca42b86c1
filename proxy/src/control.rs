//! How an operator's commands reach a running proxy: over a Unix socket in the data directory, which
//! nobody but the proxy's own user can open.
//!
//! A store has one process at a time. So a command asks the proxy that has it, and opens the store itself
//! only where no proxy runs.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;

use crate::{
    orders,
    queue::{DeadLetter, DeadLetters, Error, LetterId, Named, Orders, Payment},
};

/// Where the socket of the store in `data_dir` is.
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// Answers commands until the future is dropped.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve(data_dir: &Path, letters: DeadLetters, orders: Orders) -> io::Result<()> {
    let path = socket(data_dir);
    // A process that was killed leaves its socket behind, and the store's lock says that it is gone.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    axum::serve(listener, router(letters, orders)).await
}

/// Takes the socket away, so that commands see that no proxy runs.
pub fn close(data_dir: &Path) {
    if let Err(error) = fs::remove_file(socket(data_dir)) {
        tracing::debug!(error = %error, "there was no socket to remove");
    }
}

/// The commands.
pub fn router(letters: DeadLetters, orders: Orders) -> Router {
    let letters = Router::new()
        .route("/dead-letters", get(newest))
        .route("/dead-letters/replay", post(replay))
        .route("/dead-letters/drop", post(remove))
        .with_state(letters);
    let orders = Router::new()
        .route("/orders/show", post(show))
        .route("/orders/withdraw", post(withdraw))
        .route("/payments", get(payments))
        .with_state(orders);
    letters.merge(orders)
}

/// How many letters are asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Newest {
    /// The most of them.
    pub most: usize,
}

/// One letter and its name.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    /// As [`LetterId`] prints.
    pub id: String,
    /// The letter.
    #[serde(flatten)]
    pub letter: Summary,
}

/// A letter as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    /// How the event ended.
    pub outcome: String,
    /// When, in Unix milliseconds.
    pub ended_at_ms: i64,
    /// TikTok's code.
    pub code: Option<i64>,
    /// TikTok's words.
    pub message: Option<String>,
    /// TikTok's name for the request.
    pub request_id: Option<String>,
    /// What happened.
    pub name: String,
    /// The key both legs share.
    pub event_id: String,
    /// The event as TikTok would get it, as JSON text.
    pub event: String,
}

/// Which letters a command is about.
#[derive(Debug, Serialize, Deserialize)]
pub struct Chosen {
    /// As [`LetterId`] prints.
    pub ids: Vec<String>,
}

/// How many letters a command found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// That many.
    pub letters: usize,
}

/// Which order a command is about.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderNamed {
    /// The shop's own id of it.
    pub order_id: String,
}

type Answer<T> = Result<Json<T>, (StatusCode, String)>;

async fn newest(
    State(letters): State<DeadLetters>,
    Query(Newest { most }): Query<Newest>,
) -> Answer<Vec<Letter>> {
    let newest = letters.newest(most).map_err(|error| refused(&error))?;
    Ok(Json(
        newest
            .into_iter()
            .map(|(id, letter)| Letter {
                id: id.to_string(),
                letter: Summary::of(letter),
            })
            .collect(),
    ))
}

async fn replay(State(letters): State<DeadLetters>, Json(chosen): Json<Chosen>) -> Answer<Done> {
    let ids = chosen.read()?;
    Ok(Json(Done {
        letters: letters.replay(ids).await.map_err(|error| refused(&error))?,
    }))
}

async fn remove(State(letters): State<DeadLetters>, Json(chosen): Json<Chosen>) -> Answer<Done> {
    let ids = chosen.read()?;
    Ok(Json(Done {
        letters: letters.remove(ids).await.map_err(|error| refused(&error))?,
    }))
}

async fn show(
    State(known): State<Orders>,
    Json(named): Json<OrderNamed>,
) -> Answer<Option<orders::Summary>> {
    let order = known
        .find(&named.order_id)
        .map_err(|error| refused(&error))?;
    Ok(Json(order.map(orders::Order::summary)))
}

async fn withdraw(
    State(orders): State<Orders>,
    Json(named): Json<OrderNamed>,
) -> Answer<Option<usize>> {
    let withdrawn = orders.withdraw(named.order_id).await;
    Ok(Json(withdrawn.map_err(|error| refused(&error))?))
}

async fn payments(State(orders): State<Orders>) -> Answer<Vec<Payment>> {
    Ok(Json(orders.payments().map_err(|error| refused(&error))?))
}

impl Chosen {
    fn read(self) -> Result<Vec<LetterId>, (StatusCode, String)> {
        let ids = self.ids.iter().map(|id| id.parse::<LetterId>());
        ids.collect::<Result<_, _>>()
            .map_err(|rule| (StatusCode::BAD_REQUEST, rule.to_owned()))
    }
}

impl Summary {
    fn of(letter: DeadLetter) -> Self {
        let named = Named::of(letter.event.get());
        Self {
            name: named.name.into_owned(),
            event_id: named.event_id.into_owned(),
            outcome: letter.outcome,
            ended_at_ms: letter.ended_at_ms,
            code: letter.code,
            message: letter.message,
            request_id: letter.request_id,
            event: letter.event.get().to_owned(),
        }
    }
}

fn refused(error: &Error) -> (StatusCode, String) {
    tracing::error!(error = ?error, "an operator's command failed");
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
