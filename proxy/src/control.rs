//! Receives an operator's commands in a running proxy, over a Unix socket in the data directory. Only the proxy's own user can
//! open the socket, because the umask of the process makes every new file private.
//!
//! Only one process at a time can open a store. A command therefore asks the running proxy. Only if no proxy runs does the
//! command open the store itself.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
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
    app::Shared,
    change_log::{By, Change},
    decide::{DeadLetter, LetterId, Named, Payment},
    evidence,
    health::Health,
    orders,
    queue::{self, ChangeLog, DeadLetters, Error, Intake, Interrupted, Orders},
    why::Chain,
};

/// The longest command, in bytes. It is longer than any command line.
const LONGEST_COMMAND: usize = 16 * 1024 * 1024;

/// The path at which a running proxy names the pixels that have pending events.
pub const WAITING: &str = "/waiting";

/// The path at which a running proxy states the format of its store.
pub const FORMAT: &str = "/format";
/// The path at which a running proxy explains what happened to an id.
pub const WHY: &str = "/why";

/// Returns the path of the socket of the store in `data_dir`.
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// Answers operators' commands until the future is dropped.
///
/// # Errors
/// An error if the socket cannot be created.
pub async fn serve(data_dir: &Path, letters: DeadLetters, app: Arc<Shared>) -> io::Result<()> {
    let path = socket(data_dir);
    // A killed process leaves its socket behind. The present process holds the lock of the store, so the killed process has
    // ended, and nobody uses the socket.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    // Remove the owner's right to execute, which the umask leaves and a socket does not need.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let waiting = Router::new()
        .route(WAITING, get(waiting))
        .route(FORMAT, get(async || Json(queue::FORMAT)))
        .with_state(Arc::clone(&app.health));
    let commands = router(letters, &app.intake);
    let why = Router::new().route(WHY, post(why)).with_state(app);
    axum::serve(listener, commands.merge(waiting).merge(why)).await
}

/// Removes the socket, so that commands see that no proxy runs.
pub fn close(data_dir: &Path) {
    if let Err(error) = fs::remove_file(socket(data_dir)) {
        tracing::debug!(error = %error, "the control socket could not be removed");
    }
}

/// Returns the route that explains an id without a running proxy.
pub fn why_stopped(intake: Intake) -> Router {
    let route = async |State(intake): State<Intake>, Json(Asked { id }): Json<Asked>| {
        let chain = evidence::why_stopped(&intake, id).await;
        chain.map(Json).map_err(|error| refused(&error))
    };
    Router::new().route(WHY, post(route)).with_state(intake)
}

/// Returns the routes of the commands.
pub fn router(letters: DeadLetters, intake: &Intake) -> Router {
    let (orders, log) = (intake.orders().clone(), intake.change_log().clone());
    let letters = Router::new()
        .route("/dead-letters", get(page))
        .route("/dead-letters/show", post(read))
        .route("/dead-letters/replay", post(replay))
        .route("/dead-letters/drop", post(remove))
        .layer(DefaultBodyLimit::max(LONGEST_COMMAND))
        .with_state((letters, log.clone()));
    let orders = Router::new()
        .route("/orders/show", post(show))
        .route("/orders/withdraw", post(withdraw))
        .route("/payments", get(payments))
        .with_state((orders, log));
    letters.merge(orders)
}

/// The page of dead letters that a command requests.
#[derive(Debug, Serialize, Deserialize)]
pub struct PageBefore {
    /// The last id of the previous page. `None` requests the first page.
    pub before: Option<String>,
}

/// One letter and its id.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    /// The id, in the form of [`LetterId`].
    pub id: String,
    /// The letter.
    #[serde(flatten)]
    pub letter: Summary,
}

/// The contents of a letter, as they are shown to the operator.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The name of the event's outcome.
    pub outcome: String,
    /// When the event ended, in Unix milliseconds.
    pub ended_at_ms: i64,
    /// TikTok's code.
    pub code: Option<i64>,
    /// TikTok's message.
    pub message: Option<String>,
    /// TikTok's id for the request.
    pub request_id: Option<String>,
    /// The code of the pixel that the event was for.
    #[serde(default)]
    pub pixel_id: String,
    /// The test event code. `None` means that the event was not a test event.
    #[serde(default)]
    pub test_event_code: Option<String>,
    /// The name of the event.
    pub name: String,
    /// The event id, which both legs share.
    pub event_id: String,
    /// The event as TikTok would receive it, as JSON text.
    pub event: String,
}

/// The letters that a command is about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// Letters with these ids, or with these event ids.
    Named(Vec<String>),
    /// All letters.
    All,
    /// All letters of the pixel with this code.
    OfPixel(String),
}

/// The letters that were found by their ids or event ids.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    /// The letters.
    pub letters: Vec<Letter>,
    /// Names without a letter.
    pub unknown: Vec<String>,
}

/// The result of a command.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// How many letters the command replayed or removed.
    pub letters: usize,
    /// Names without a letter.
    pub unknown: Vec<String>,
}

/// The id that is to be explained.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The id of an order, an event, a request to TikTok or a transfer.
    pub id: String,
}

/// The order that a command is about.
#[derive(Debug, Serialize, Deserialize)]
pub struct OrderNamed {
    /// The shop's own id of the order.
    pub order_id: String,
}

type Answer<T> = Result<Json<T>, (StatusCode, String)>;

async fn waiting(State(health): State<Arc<Health>>) -> Json<Vec<String>> {
    let pixels = health.pixels().into_iter();
    let waiting = pixels.filter(|(_, pixel)| pixel.oldest_ms.is_some());
    Json(waiting.map(|(id, _)| id).collect())
}

async fn why(State(app): State<Arc<Shared>>, Json(Asked { id }): Json<Asked>) -> Answer<Chain> {
    let chain = evidence::why(&app, id).await;
    chain.map(Json).map_err(|error| refused(&error))
}

/// The dead letters, and the change log.
type Letters = State<(DeadLetters, ChangeLog)>;
/// The orders, and the change log.
type Known = State<(Orders, ChangeLog)>;

async fn page(
    State((letters, _)): Letters,
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

async fn read(State((letters, _)): Letters, Json(names): Json<Vec<String>>) -> Answer<Found> {
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

async fn replay(State((letters, log)): Letters, Json(chosen): Json<Chosen>) -> Answer<Done> {
    let (done, unknown) = match chosen {
        Chosen::All => (letters.replay_all(None).await, Vec::new()),
        Chosen::OfPixel(pixel_id) => (letters.replay_all(Some(pixel_id)).await, Vec::new()),
        Chosen::Named(names) => {
            let (ids, unknown) = named(&letters, names).await?;
            (letters.replay(&ids).await, unknown)
        }
    };
    let by = By::Command;
    let change = |letters| Change::LettersReplayed { letters, by };
    note(&log, &done, change).await;
    tell("replayed", done, unknown)
}

async fn remove(State((letters, log)): Letters, Json(chosen): Json<Chosen>) -> Answer<Done> {
    let (done, unknown) = match chosen {
        Chosen::All => (letters.remove_all(None).await, Vec::new()),
        Chosen::OfPixel(pixel_id) => (letters.remove_all(Some(pixel_id)).await, Vec::new()),
        Chosen::Named(names) => {
            let (ids, unknown) = named(&letters, names).await?;
            (letters.remove(&ids).await, unknown)
        }
    };
    let by = By::Command;
    let change = |letters| Change::LettersDropped { letters, by };
    note(&log, &done, change).await;
    tell("dropped", done, unknown)
}

/// Adds a command about letters to the change log, with the number of letters that the command has replayed or removed. If the
/// command was interrupted, this is the number until then. If the number is 0, adds nothing.
async fn note(
    log: &ChangeLog,
    done: &Result<usize, Interrupted>,
    change: impl FnOnce(usize) -> Change,
) {
    let letters = done.as_ref().map_or_else(|error| error.done, |done| *done);
    if letters > 0 {
        log.add(change(letters)).await;
    }
}

fn tell(did: &'static str, done: Result<usize, Interrupted>, unknown: Vec<String>) -> Answer<Done> {
    match done {
        Ok(letters) => {
            tracing::info!(
                letters,
                did,
                "operator's command about dead letters completed"
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

/// Returns the letters with these names, and the names without a letter. A name is the id of a letter or of its event.
fn resolve(
    letters: &DeadLetters,
    names: Vec<String>,
) -> Result<(Vec<LetterId>, Vec<String>), Error> {
    let mut ids = Vec::new();
    let mut wanted: HashMap<String, bool> = HashMap::new();
    for name in names {
        match name.parse() {
            // A letter whose contents cannot be read exists too, so only `Ok(None)` means that there is no such letter.
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

/// Runs `work`, which reads from the disk, on a separate thread, so that events do not wait for these reads. Turns an error
/// into a status and a message.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, (StatusCode, String)> {
    let done = queue::blocking(work).await;
    done.map_err(|error| refused(&error))
}

async fn show(
    State((known, _)): Known,
    Json(named): Json<OrderNamed>,
) -> Answer<Option<orders::Summary>> {
    let order = off_the_runtime(move || known.find(&named.order_id)).await?;
    Ok(Json(order.map(orders::Order::summary)))
}

async fn withdraw(
    State((orders, log)): Known,
    Json(named): Json<OrderNamed>,
) -> Answer<Option<usize>> {
    let withdrawn = orders.withdraw(named.order_id).await;
    let withdrawn = withdrawn.map_err(|error| refused(&error))?;
    if let Some(events) = withdrawn {
        let by = By::Command;
        log.add(Change::OrderWithdrawn { events, by }).await;
    }
    Ok(Json(withdrawn))
}

async fn payments(State((orders, _)): Known) -> Answer<Vec<Payment>> {
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
            pixel_id: letter.destination.pixel_id.clone(),
            test_event_code: letter.destination.test_event_code.clone(),
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
    tracing::error!(error = ?error, "operator's command failed");
    let status = match error {
        Error::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string())
}

#[cfg(test)]
mod tests;
