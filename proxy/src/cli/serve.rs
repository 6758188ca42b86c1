//! `duet-proxy serve`.

use std::time::Duration;

use anyhow::{Context, Result};
use duet_proxy::{admit::MoneyEvents, clock, config::Config};
use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{SignalKind, signal},
};

/// How long the burst of one address may delay another customer's conversion before it is worth a warning.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Serves until the process is told to stop.
pub(super) fn run(config: &Config) -> Result<()> {
    on_this_thread(async {
        let listener = listen(config).await?;
        let stop = stop_signal()?;
        outlive_file_limits()?;
        for name in &config.without_effect {
            tracing::warn!(
                variable = name,
                "a variable is set that has no effect in this version yet"
            );
        }
        for problem in &config.unknown {
            tracing::warn!(nearest = problem.setting, "{}", problem.message);
        }
        tracing::info!("changed since 0.1.0: {}", config.changes.join("; "));
        let delay = config.delivery.first_class_delay(config.server.rate_limit);
        if delay > LONGEST_DELAY {
            tracing::warn!(
                delay_s = delay.as_secs_f64(),
                "within DUET_BATCH_EVENTS, DUET_BATCH_BYTES, DUET_SEND_PARALLEL and DUET_SEND_LIMIT the burst of one address can delay another customer's conversion by more than 5 s"
            );
        }
        if let Some(test) = &config.tiktok.test
            && test.code_at(clock::now_ms()).is_some()
        {
            tracing::warn!(
                code = test.code,
                until_ms = test.until_ms,
                "ALL TRAFFIC IS TEST TRAFFIC: TikTok counts none of it"
            );
        }
        if config.money == MoneyEvents::Verified && config.payments.is_none() {
            tracing::warn!(
                "DUET_MONEY_EVENTS is verified and there is no payment webhook: what pages say of payments waits in vain"
            );
        }
        duet_proxy::run(config, listener, stop).await?;
        Ok(())
    })
}

/// One thread serves and delivers, one more writes: on few cores that is faster than more threads.
pub(super) fn on_this_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    // The first provider that is installed stays; that it is there already is no failure.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not start")?
        .block_on(work)
}

/// Binds the address and says so.
pub(super) async fn listen(config: &Config) -> Result<TcpListener> {
    let address = config.server.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("DUET_LISTEN: {address} cannot be listened on"))?;
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    tracing::info!(%address, path = config.server.track_path, pixel = config.tiktok.pixel_id.as_str(), "taking events");
    Ok(listener)
}

/// A file that may not grow any more is a write that fails, as on a full disk, and not the end of the process.
pub(super) fn outlive_file_limits() -> Result<()> {
    const SIGXFSZ: i32 = 25;
    // A signal that was once listened to ends the process no more, whether or not somebody still listens.
    let listening = signal(SignalKind::from_raw(SIGXFSZ));
    listening.map(drop).context("SIGXFSZ cannot be handled")
}

/// Resolves on SIGTERM or SIGINT.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}
