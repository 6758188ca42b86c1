//! `duet-proxy serve`: runs the proxy.

use std::{future, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use duet_proxy::{
    Listeners,
    admit::MoneyEvents,
    clock,
    config::{self, Config, TikTok},
    pixels::Pixels,
};
use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{SignalKind, signal},
};

/// The proxy logs a warning if a burst of events from one address can delay another customer's conversion by more than this.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Runs the proxy until the process receives a stop signal. On SIGHUP, the proxy reads the pixels again through `lookup`.
pub(super) fn run(config: &Config, lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    on_this_thread(async {
        let listeners = Listeners {
            events: listen(config).await?,
            console: listen_console(config).await?,
        };
        let stop = stop_signal()?;
        outlive_file_limits()?;
        warn_of_variables(config);
        warn_of_database(config);
        tracing::info!("changed since 0.1.0: {}", config.changes.join("; "));
        let delay = config.delivery.first_class_delay(config.server.rate_limit);
        if delay > LONGEST_DELAY {
            tracing::warn!(
                delay_s = delay.as_secs_f64(),
                "a burst of events from one address can delay another customer's conversion by more than 5 s; higher values of DUET_BATCH_EVENTS, DUET_BATCH_BYTES, DUET_SEND_PARALLEL and DUET_SEND_LIMIT shorten this delay, and so does a lower DUET_RATE_LIMIT"
            );
        }
        warn_of_tests(&config.tiktok.pixels);
        if config.money == MoneyEvents::Verified && config.payments.is_none() {
            tracing::warn!(
                "DUET_MONEY_EVENTS is verified, but no payment webhook is set up: the proxy never sends the events with which pages report payments"
            );
        }
        if let Some(payments) = config
            .payments
            .as_ref()
            .filter(|_| config.money == MoneyEvents::Verified)
        {
            let webhooks: Vec<_> = payments.providers().map(|(name, _)| name).collect();
            tracing::info!(
                webhooks = webhooks.join(", "),
                "sales that pages report wait until one of these webhooks reports the payment. Sales through other channels, such as cash on delivery or another provider, are not counted: report them from the shop's server with DUET_SERVER_KEY, or set DUET_MONEY_EVENTS=open"
            );
        }
        let pixels = Arc::new(Pixels::new(config));
        let reloads = reload(&pixels, &lookup)?;
        tokio::select! {
            ended = duet_proxy::run(config, Arc::clone(&pixels), listeners, stop) => Ok(ended?),
            never = reloads => never,
        }
    })
}

/// Reads the pixels again on each SIGHUP. If the new settings have a problem, the proxy keeps its present pixels.
fn reload<'a>(
    pixels: &'a Pixels,
    lookup: impl Fn(&str) -> Option<String> + 'a,
) -> Result<impl Future<Output = Result<()>> + 'a> {
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be handled")?;
    Ok(async move {
        loop {
            if hangup.recv().await.is_none() {
                future::pending::<()>().await;
            }
            match TikTok::reload(&lookup) {
                Ok(settings) => {
                    tracing::info!(
                        pixels = ids(&settings),
                        "the pixels were read again and are in use"
                    );
                    warn_of_tests(&settings);
                    pixels.replace(settings);
                }
                Err(problems) => {
                    for problem in problems {
                        tracing::error!(
                            "the pixels were not replaced, because the new settings have a problem: {problem}"
                        );
                    }
                }
            }
        }
    })
}

fn ids(pixels: &config::Pixels) -> String {
    let ids: Vec<_> = pixels.iter().map(|pixel| pixel.id.as_str()).collect();
    ids.join(" ")
}

/// Logs a warning for each pixel with a test event code, because TikTok does not count the pixel's events. Logs one more
/// warning if other pixels have no test event code, because payments of a provider's test mode are then not reported.
fn warn_of_tests(pixels: &config::Pixels) {
    let now_ms = clock::now_ms();
    let mut in_test = 0;
    for pixel in pixels.iter() {
        if let Some(test) = &pixel.test
            && test.code_at(now_ms).is_some()
        {
            in_test += 1;
            tracing::warn!(
                pixel_id = pixel.id.as_str(),
                code = test.code,
                until_ms = test.until_ms,
                "ALL TRAFFIC IS TEST TRAFFIC: TikTok counts no events of this pixel"
            );
        }
    }
    let live = pixels.iter().count() - in_test;
    if in_test > 0 && live > 0 {
        tracing::warn!(
            live,
            "some pixels have a test event code and others have none: payments of a provider's test mode are recorded as test and not reported"
        );
    }
}

/// Logs a warning about a database that keeps only one copy of the data, or that is reached without encryption.
fn warn_of_database(config: &Config) {
    let Some(database) = &config.database else {
        return;
    };
    if database.is_without_a_second_copy() {
        tracing::warn!(
            "DUET_QUEUE HAS replication=none: ACCEPTED EVENTS ARE ON ONE DISK ONLY, AND ARE LOST IF THIS DISK IS LOST"
        );
    }
    if database.is_open_to_the_network() {
        tracing::warn!(
            "DUET_QUEUE has sslmode=disable: events and the password go over the network without encryption"
        );
    }
}

/// Logs a warning for each variable that looks like a setting but has no effect.
pub(super) fn warn_of_variables(config: &Config) {
    for name in &config.without_effect {
        tracing::warn!(
            variable = name,
            "a variable is set that has no effect in this version yet"
        );
    }
    for problem in &config.unknown {
        tracing::warn!(nearest = problem.setting, "{}", problem.message);
    }
}

/// Runs `work` on this thread. So the proxy has two main threads: this thread serves requests and delivers events, and another
/// writes to the store. On few cores, two threads are faster than more.
pub(super) fn on_this_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    // If a provider of cryptography is installed already, that provider stays. This is not an error.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not start")?
        .block_on(work)
}

/// Binds the address and logs it.
pub(super) async fn listen(config: &Config) -> Result<TcpListener> {
    let address = config.server.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("DUET_LISTEN: the process cannot listen on {address}"))?;
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    tracing::info!(%address, path = config.server.track_path, pixels = ids(&config.tiktok.pixels), "accepting events");
    Ok(listener)
}

/// Binds the console's address and logs it, if the console is set up.
async fn listen_console(config: &Config) -> Result<Option<TcpListener>> {
    let Some(console) = &config.console else {
        tracing::info!("the proxy serves no console, because DUET_CONSOLE_TOKEN is not set");
        return Ok(None);
    };
    let address = console.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("DUET_CONSOLE_LISTEN: the process cannot listen on {address}"))?;
    let address = listener
        .local_addr()
        .context("the listener has no address")?;
    tracing::info!(%address, "serving the console");
    Ok(Some(listener))
}

/// Makes a write beyond the limit of the file size fail, as on a full disk. By default, such a write would end the process with
/// SIGXFSZ.
pub(super) fn outlive_file_limits() -> Result<()> {
    const SIGXFSZ: i32 = 25;
    // Once a process has registered a handler for a signal, the signal no longer ends the process, even after the handler is
    // dropped.
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
