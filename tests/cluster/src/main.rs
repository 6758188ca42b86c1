//! `cargo xtask demo --postgres`: a shop on three proxies and two servers of PostgreSQL. The user can kill any of these
//! processes.
//!
//! The program plays the roles that a platform has: a balancer in front of the proxies, a supervisor that starts a killed
//! process again, and a manager of the database that promotes the standby.
#![allow(
    clippy::print_stdout,
    reason = "a program of the command line prints its results"
)]

mod balancer;
mod database;
mod proxies;
mod site;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use duet_sandbox::{BankOptions, Options, Provider, Sandbox, Webhook};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use balancer::Balancer;
use database::Database;
use proxies::Proxies;

/// The time between two checks of the processes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The length of one minute of the bank's retry schedule. A minute takes one second here, so the bank repeats a
/// notification after 1, 1, 2, 3, 5, 8 and 13 seconds.
const BANK_MINUTE_MS: u64 = 1000;

/// A shop on three proxies and two servers of PostgreSQL. You can kill any of these processes.
#[derive(Parser)]
struct Arguments {
    /// Address of the shop.
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Address of the fake TikTok.
    #[arg(long, default_value = "127.0.0.1:8788")]
    sandbox_listen: SocketAddr,
    /// Folder of the shop's files.
    #[arg(long)]
    www: PathBuf,
    /// Path of the binary `duet-proxy`.
    #[arg(long)]
    proxy: PathBuf,
}

/// The addresses and secrets that all parts of the demo use.
struct Agreed {
    shop: SocketAddr,
    sandbox_url: String,
    /// The secret that the shop's server, the payment providers and the consoles use.
    secret: String,
}

impl Agreed {
    /// Returns the secret with the prefix that Polar's secrets have.
    fn polar_secret(&self) -> String {
        format!("whsec_{}", self.secret)
    }

    fn bank(&self) -> BankOptions {
        let webhook = |provider| format!("http://{}/api/payment/{provider}/webhook", self.shop);
        let polar = Webhook {
            url: webhook("polar"),
            secret: self.polar_secret(),
        };
        BankOptions {
            webhook_url: Some(webhook("sepay")),
            secret: self.secret.clone(),
            others: [(Provider::Polar, polar)].into(),
            minute_ms: Some(BANK_MINUTE_MS),
            ..BankOptions::default()
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut stops = Stops::new()?;
    let listener = bind(arguments.listen).await?;
    let sandbox_listener = bind(arguments.sandbox_listen).await?;
    let agreed = Arc::new(Agreed {
        shop: listener.local_addr()?,
        sandbox_url: format!("http://{}", sandbox_listener.local_addr()?),
        secret: random_secret()?,
    });

    println!("Starting two servers of PostgreSQL");
    let database = spawn_blocking(Database::start).await??;
    // Dropping the sender `end` ends the sandbox. This is done after the proxies have delivered their events.
    let (end, mut ended) = watch::channel(());
    let options = Options {
        bank: agreed.bank(),
        ..Options::default()
    };
    let sandbox = duet_sandbox::serve(sandbox_listener, Sandbox::new(options), async move {
        let _ = ended.changed().await;
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { Ok(sandbox.await?) });
    println!("Starting three proxies");
    let mut proxies = Proxies::start(&arguments.proxy, &agreed, &database.setting()?).await?;
    let balancer = Arc::new(Balancer::new(proxies.addresses()));
    let site = site::routes(Arc::clone(&agreed), balancer, &arguments.www);
    let site = site.into_make_service_with_connect_info::<SocketAddr>();
    tasks.spawn(async move { Ok(axum::serve(listener, site).await?) });
    announce(&agreed, &proxies, &database)?;

    let (stop, stopped) = watch::channel(());
    let mut watched = tokio::spawn(database.keep(stopped));
    let done = loop {
        tokio::select! {
            () = stops.next() => break Ok(()),
            failed = &mut watched => break failed?.map(drop),
            failed = tasks.join_next() => break failed.context("a server of the demo must not end")??,
            () = sleep(LOOK_EVERY) => {
                if let Err(error) = proxies.look() {
                    break Err(error);
                }
            }
        }
    };
    println!("Stopping; the proxies deliver the pending events. A second Ctrl-C stops at once.");
    tokio::select! {
        () = stops.next() => {}
        () = proxies.stop() => {}
    }
    drop((proxies, stop, end));
    if !watched.is_finished() {
        drop(watched.await??);
    }
    done
}

fn announce(agreed: &Agreed, proxies: &Proxies, database: &Database) -> Result<()> {
    println!();
    println!("shop       http://{}/", agreed.shop);
    println!("sandbox    {}/", agreed.sandbox_url);
    println!("bank       {}/bank", agreed.sandbox_url);
    println!("token      {}   opens every console", agreed.secret);
    for line in proxies.lines() {
        println!("{line}");
    }
    for line in database.lines()? {
        println!("{line}");
    }
    println!();
    println!(
        "Pay in the shop, and kill a proxy or a server with a command above at any time, as often as you like."
    );
    println!("Each sale must be counted exactly once. Press Ctrl-C to stop.");
    println!();
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}"))
}

fn random_secret() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// The signals that end the demo.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Stops {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
