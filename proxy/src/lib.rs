//! Duet's proxy: takes events from pages and servers, and sees them to TikTok.
//!
//! # The life of an event
//!
//! 1. A request comes in ([`router`] shows all that can). Its origin is checked, its body read within
//!    bounds.
//! 2. [`admit`] decides about each event in it, with nothing but the event, the request's facts, the
//!    time and sixteen random bytes: taken, or every rule it breaks.
//! 3. [`queue::Intake`] writes what was taken to disk, repeats excepted. After the fsync, and not before,
//!    the request is answered with 202.
//! 4. [`deliver`] has a courier for each [`queue::Lane`]: it claims events and sends them through
//!    [`tiktok::Client`]. [`retry`] reads TikTok's answer.
//! 5. Every event comes to one [`outcome::Outcome`]; those that TikTok did not take are kept as dead
//!    letters.
//!
//! Nothing calls back up: handlers do not know TikTok, couriers do not know HTTP.

pub mod admit;
pub mod app;
pub mod clicks;
pub mod clock;
pub mod config;
pub mod control;
pub mod decide;
pub mod deliver;
pub mod headers;
pub mod health;
pub mod http;
pub mod identity;
pub mod limits;
pub mod metrics;
pub mod orders;
pub mod origin;
pub mod outcome;
pub mod payments;
pub mod queue;
pub mod rates;
pub mod retry;
pub mod router;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod tiktok;

use std::{future::Future, sync::Arc};

use tokio::{net::TcpListener, sync::watch};

use app::Shared;
use config::Config;
use deliver::Link;
use health::Health;
use identity::clerk::Clerk;
use metrics::Metrics;
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
    /// Delivery ended by itself.
    #[error("delivery ended unexpectedly")]
    Delivery,
}

/// Runs the proxy on `listener` until `shutdown` resolves. Then it takes no new connections, answers
/// what it has begun, and delivers for a few seconds more; what is left stays on disk.
///
/// # Errors
/// [`Error`] when it cannot start.
pub async fn run(
    config: &Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    run_with(config, listener, shutdown, |router| router).await
}

/// [`run`], with more routes beside the proxy's own.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: &Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    extend: impl FnOnce(axum::Router) -> axum::Router,
) -> Result<(), Error> {
    let metrics = Arc::new(Metrics::default());
    let (intake, outlet, letters) = queue::open(
        &config.data_dir,
        config.disk_reserve_bytes,
        Arc::clone(&metrics),
    )?;
    let client = tiktok::Client::new(&config.tiktok.api_base, &config.tiktok.access_token)?;
    let health = Arc::new(Health::default());
    let clerk = config.clerk.as_ref();
    let clerk = clerk.map(|clerk| Clerk::new(clerk, Arc::clone(&metrics)));
    let clerk = clerk.transpose()?.map(Arc::new);
    let keys = clerk.clone().map(|clerk| tokio::spawn(clerk.keep()));
    let orders = intake.orders().clone();
    let app = Shared::new(
        config,
        intake,
        Arc::clone(&health),
        Arc::clone(&metrics),
        clerk,
    );
    let link = Link::new(client, health, metrics, &config.delivery);

    let data_dir = config.data_dir.clone();
    let control = tokio::spawn(async move {
        if let Err(error) = control::serve(&data_dir, letters, orders).await {
            tracing::warn!(error = %error, "operators' commands cannot reach this process");
        }
    });
    let (stop, stopped) = watch::channel(false);
    let delivery = tokio::spawn(deliver::run(outlet, link, stopped));
    let app = Arc::new(app);
    let surface = Surface {
        routes: extend(router::router(Arc::clone(&app))),
        app: Arc::clone(&app),
    };
    server::serve(listener, surface, shutdown).await;
    stop.send_replace(true);
    let ended = delivery.await.map_err(|_| Error::Delivery);
    control.abort();
    if let Some(keys) = keys {
        keys.abort();
    }
    control::close(&config.data_dir);
    app.intake.close().await;
    ended
}
