//! How an operator's commands reach a running proxy: over a Unix socket in the data directory, which
//! nobody but the proxy's own user can open: the process has a umask by which nothing it makes is open to others.
//!
//! A store has one process at a time. So a command asks the proxy that has it, and opens the store itself
//! only where no proxy runs.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;

use crate::{
    decide::{DeadLetter, LetterId, Named, Payment},
    orders,
    queue::{self, DeadLetters, Error, Interrupted, Orders},
};

/// The longest command, in bytes: more names than a command line takes.
const LONGEST_COMMAND: usize = 16 * 1024 * 1024;

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
    // Without the right to execute, which the umask leaves.
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
        .route("/dead-letters", get(page))
        .route("/dead-letters/show", post(read))
        .route("/dead-letters/replay", post(replay))
        .route("/dead-letters/drop", post(remove))
        .layer(DefaultBodyLimit::max(LONGEST_COMMAND))
        .with_state(letters);
    let orders = Router::new()
        .route("/orders/show", post(show))
        .route("/orders/withdraw", post(withdraw))
        .route("/payments", get(payments))
        .with_state(orders);
    letters.merge(orders)
}

/// Which page of letters is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct PageBefore {
    /// The last id of the page before; without it, the first page.
    pub before: Option<String>,
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
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// As [`LetterId`] prints, or event ids.
    Named(Vec<String>),
    /// Every one that is there.
    All,
}

/// The letters of some names.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    /// The letters.
    pub letters: Vec<Letter>,
    /// Names that no letter has.
    pub unknown: Vec<String>,
}

/// What a command did.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// How many letters it replayed or removed.
    pub letters: usize,
    /// Names that no letter has.
    pub unknown: Vec<String>,
}

/// Which order a command is about.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderNamed {
    /// The shop's own id of it.
    pub order_id: String,
}

type Answer<T> = Result<Json<T>, (StatusCode, String)>;

async fn page(
    State(letters): State<DeadLetters>,
    Query(PageBefore { before }): Query<PageBefore>,
) -> Answer<Vec<Letter>> {
    let before = before.map(|id| id.parse()).transpose();
    let before = before.map_err(|rule: &str| (StatusCode::BAD_REQUEST, rule.to_owned()))?;
    let page = off_the_runtime(move || {
        let page = letters.page(before)?;
        Ok(page.into_iter().map(Letter::of).collect())
    });
    Ok(Json(page.await?))
}

async fn read(State(letters): State<DeadLetters>, Json(names): Json<Vec<String>>) -> Answer<Found> {
    let found = off_the_runtime(move || {
        let (ids, unknown) = resolve(&letters, names)?;
        let found = ids.into_iter().filter_map(|id| {
            let letter = letters.find(id).transpose()?;
            Some(letter.map(|letter| Letter::of((id, letter))))
        });
        let letters = found.collect::<Result<_, _>>()?;
        Ok(Found { letters, unknown })
    });
    Ok(Json(found.await?))
}

async fn replay(State(letters): State<DeadLetters>, Json(chosen): Json<Chosen>) -> Answer<Done> {
    let (done, unknown) = match chosen {
        Chosen::All => (letters.replay_all().await, Vec::new()),
        Chosen::Named(names) => {
            let (ids, unknown) = named(&letters, names).await?;
            (letters.replay(&ids).await, unknown)
        }
    };
    tell("replayed", done, unknown)
}

async fn remove(State(letters): State<DeadLetters>, Json(chosen): Json<Chosen>) -> Answer<Done> {
    let (done, unknown) = match chosen {
        Chosen::All => (letters.remove_all().await, Vec::new()),
        Chosen::Named(names) => {
            let (ids, unknown) = named(&letters, names).await?;
            (letters.remove(&ids).await, unknown)
        }
    };
    tell("dropped", done, unknown)
}

fn tell(did: &'static str, done: Result<usize, Interrupted>, unknown: Vec<String>) -> Answer<Done> {
    match done {
        Ok(letters) => {
            tracing::info!(
                letters,
                did,
                "an operator's command about dead letters is done"
            );
            Ok(Json(Done { letters, unknown }))
        }
        Err(interrupted) => {
            let (status, _) = refused(&interrupted.error);
            Err((status, interrupted.to_string()))
        }
    }
}

async fn named(
    letters: &DeadLetters,
    names: Vec<String>,
) -> Result<(Vec<LetterId>, Vec<String>), (StatusCode, String)> {
    let letters = letters.clone();
    off_the_runtime(move || resolve(&letters, names)).await
}

/// The letters that are called so, by their own ids or their events'; and the names that no letter has.
fn resolve(
    letters: &DeadLetters,
    names: Vec<String>,
) -> Result<(Vec<LetterId>, Vec<String>), Error> {
    let mut ids = Vec::new();
    let mut wanted: HashMap<String, bool> = HashMap::new();
    for name in names {
        match name.parse() {
            // One that cannot be read is there all the same.
            Ok(id) if !matches!(letters.find(id), Ok(None)) => ids.push(id),
            _ => {
                wanted.insert(name, false);
            }
        }
    }
    let mut before = None;
    while !wanted.is_empty() {
        let page = letters.page(before)?;
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        for (id, letter) in &page {
            let event_id = Named::of(letter.event.get()).event_id;
            if let Some(is_found) = wanted.get_mut(event_id.as_ref()) {
                *is_found = true;
                ids.push(*id);
            }
        }
    }
    wanted.retain(|_, is_found| !*is_found);
    Ok((ids, wanted.into_keys().collect()))
}

/// Does on a thread of its own what reads from the disk for longer than events may wait.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, (StatusCode, String)> {
    let done = queue::blocking(work).await;
    done.map_err(|error| refused(&error))
}

async fn show(
    State(known): State<Orders>,
    Json(named): Json<OrderNamed>,
) -> Answer<Option<orders::Summary>> {
    let order = off_the_runtime(move || known.find(&named.order_id)).await?;
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
    Ok(Json(off_the_runtime(move || orders.payments()).await?))
}

impl Letter {
    fn of((id, letter): (LetterId, DeadLetter)) -> Self {
        Self {
            id: id.to_string(),
            letter: Summary::of(letter),
        }
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
    let status = match error {
        Error::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string())
}

#[cfg(test)]
mod tests;
