//! Duet's proxy accepts events from pages and servers, stores them, and delivers them to TikTok.
//!
//! # The life of an event
//!
//! 1. A request arrives. [`router`] lists every route. The proxy checks the origin and reads the body, within limits of size
//!    and time.
//! 2. [`admit`] decides about each event: it accepts the event, or names every broken rule. This decision uses only the event,
//!    the facts of the request, the time and sixteen random bytes.
//! 3. [`queue::Intake`] writes the accepted events to disk, except repeats. The proxy answers 202 only after the events' fsync.
//! 4. [`deliver`] runs one courier for each [`queue::Lane`]. The courier claims events and sends them through
//!    [`tiktok::Client`]. [`retry`] decides, by TikTok's answer, whether an event ends or is sent again.
//! 5. Every event ends in one [`outcome::Outcome`]. An event that was not delivered is kept as a dead letter.
//!
//! No layer calls a layer above it: handlers do not know TikTok, and couriers do not know HTTP.

pub mod admit;
pub mod alarms;
pub mod app;
pub mod change_log;
pub mod clicks;
pub mod clock;
pub mod config;
pub mod console;
pub mod control;
pub mod decide;
pub mod deliver;
pub mod evidence;
pub mod headers;
pub mod health;
pub mod history;
pub mod http;
pub mod identity;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod money;
pub mod orders;
pub mod origin;
pub mod outcome;
pub mod paid;
pub mod payments;
pub mod pixels;
pub mod queue;
pub mod rates;
pub mod recent;
pub mod retry;
pub mod router;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod tiktok;
pub mod why;

use std::{future::Future, sync::Arc};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use alarms::Alarms;
use app::Shared;
use change_log::Change;
use config::Config;
use console::Console;
use deliver::Link;
use health::Health;
use identity::clerk::Clerk;
use metrics::Metrics;
use pixels::Pixels;
use queue::{ChangeLog, DeadLetters, Intake, Outlet};
use router::Surface;

/// Why the proxy could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not be opened.
    #[error(transparent)]
    Queue(#[from] queue::Error),
    /// HTTPS could not be set up.
    #[error(transparent)]
    TikTok(#[from] tiktok::SetUp),
    /// HTTPS to Clerk could not be set up.
    #[error(transparent)]
    Clerk(#[from] identity::clerk::SetUp),
    /// HTTPS to the receiver of alarms could not be set up.
    #[error(transparent)]
    Alarms(#[from] alarms::SetUp),
    /// Delivery stopped without a signal to stop.
    #[error("delivery ended unexpectedly")]
    Delivery,
    /// The console stopped without a signal to stop.
    #[error("the console ended unexpectedly")]
    Console,
}

/// The open sockets of the proxy.
pub struct Listeners {
    /// Accepts events.
    pub events: TcpListener,
    /// Serves the console, if it is set up.
    pub console: Option<TcpListener>,
}

/// Runs the proxy on `listeners` until `shutdown` resolves. The caller can replace `pixels` while the proxy runs.
///
/// After `shutdown` the proxy accepts no new connections. The proxy answers the open requests and delivers events for a few
/// seconds more. Events that are not delivered by then stay on disk.
///
/// # Errors
/// [`Error`] if a part of the proxy cannot start, or stops without a signal to stop.
pub async fn run(
    config: &Config,
    pixels: Arc<Pixels>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    run_with(config, pixels, listeners, shutdown, |router| router).await
}

/// Does what [`run`] does, with more routes beside the proxy's own. One function starts and stops all parts, because the order
/// in which they start and stop matters.
///
/// # Errors
/// The same as those of [`run`].
pub async fn run_with(
    config: &Config,
    pixels: Arc<Pixels>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
    extend: impl FnOnce(axum::Router) -> axum::Router,
) -> Result<(), Error> {
    let metrics = Arc::new(Metrics::default());
    let (intake, outlet, letters) = open_queue(config, &metrics)?;
    let change_log = intake.change_log().clone();
    let version = env!("CARGO_PKG_VERSION");
    change_log.started(version, &config.fingerprints).await;
    let reloads = tokio::spawn(log_replacements(Arc::clone(&pixels), change_log));
    let client = tiktok::Client::new(&config.tiktok.api_base)?;
    let health = Arc::new(Health::default());
    let clerk = config.clerk.as_ref();
    let clerk = clerk.map(|clerk| Clerk::new(clerk, Arc::clone(&metrics)));
    let clerk = clerk.transpose()?.map(Arc::new);
    let keys = clerk.clone().map(|clerk| tokio::spawn(clerk.keep()));
    let app = Shared::new(
        config,
        Arc::clone(&pixels),
        intake,
        Arc::clone(&health),
        Arc::clone(&metrics),
        clerk,
    );
    let link = Link::new(client, pixels, health, metrics, &config.delivery);

    let app = Arc::new(app);
    let (close, closed) = watch::channel(false);
    let console = config.console.clone().zip(listeners.console);
    let console = console.map(|(settings, listener)| {
        let console = Console::new(settings, config, Arc::clone(&app), letters.clone(), closed);
        tokio::spawn(console.serve(listener))
    });

    let alarms = start_alarms(config, &app)?;
    let control = start_control(config, letters, &app);
    let (stop, stopped) = watch::channel(false);
    let delivery = tokio::spawn(deliver::run(outlet, link, stopped));
    let surface = Arc::new(Surface {
        routes: extend(router::router(Arc::clone(&app))),
        app: Arc::clone(&app),
    });
    let answer = move |peer, request| {
        let surface = Arc::clone(&surface);
        async move { surface.answer(peer, request).await }
    };
    let shutdown = async {
        shutdown.await;
        close.send_replace(true);
    };
    server::serve(listeners.events, server::CONNECTIONS, answer, shutdown).await;
    if let Some(console) = console {
        console.await.map_err(|_| Error::Console)?;
    }
    stop.send_replace(true);
    let ended = delivery.await.map_err(|_| Error::Delivery);
    let tasks = keys.into_iter().chain(alarms).chain(control);
    for task in tasks.chain([reloads]) {
        task.abort();
    }
    if config.database.is_none() {
        control::close(&config.data_dir);
    }
    app.intake.close().await;
    ended
}

/// Opens the queue in the database or in the data directory.
fn open_queue(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<(Intake, Outlet, DeadLetters), Error> {
    let metrics = Arc::clone(metrics);
    Ok(match &config.database {
        None => queue::open(&config.data_dir, config.disk_reserve_bytes, metrics)?,
        Some(database) => queue::open_shared(database, true, metrics)?,
    })
}

/// Starts to send alarms if a receiver is configured.
fn start_alarms(config: &Config, app: &Arc<Shared>) -> Result<Option<JoinHandle<()>>, Error> {
    let Some(settings) = &config.alerts else {
        return Ok(None);
    };
    let folder = config.data_dir.clone();
    let alarms = Alarms::new(settings, folder, config.disk_reserve_bytes, Arc::clone(app))?;
    Ok(Some(tokio::spawn(alarms.run())))
}

/// Starts to serve the control socket. Operators' commands open a database themselves, also while proxies run. Only a folder
/// needs a control socket, because only one process can open a folder.
fn start_control(
    config: &Config,
    letters: DeadLetters,
    app: &Arc<Shared>,
) -> Option<JoinHandle<()>> {
    let (data_dir, app) = (config.data_dir.clone(), Arc::clone(app));
    config.database.is_none().then(|| {
        tokio::spawn(async move {
            if let Err(error) = control::serve(&data_dir, letters, app).await {
                tracing::warn!(error = %error, "the control socket in DUET_DATA_DIR cannot be used, so commands such as `duet-proxy dead-letters` cannot reach this process");
            }
        })
    })
}

/// Adds each replacement of the pixels to the change log.
async fn log_replacements(pixels: Arc<Pixels>, change_log: ChangeLog) {
    let mut replaced = pixels.replacements();
    while replaced.changed().await.is_ok() {
        let pixels = replaced.borrow_and_update().iter().count();
        change_log.add(Change::PixelsRead { pixels }).await;
    }
}
