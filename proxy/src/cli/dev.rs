//! `duet-proxy dev`: the proxy and a sandbox TikTok on loopback, and a site to try them with. No account
//! is needed and nothing leaves the machine.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context, Result, ensure};
use axum::{Json, Router, routing::get};
use clap::{Arg, ArgMatches, Command, value_parser};
use duet_proxy::config::{Config, settings::default_of};
use duet_sandbox::{Options, Sandbox};
use serde::Serialize;
use tokio::{net::TcpListener, sync::watch};
use tower_http::services::ServeDir;

use super::{Failure, serve};

/// The command and the flags it has beside the settings.
pub(super) fn command() -> Command {
    Command::new("dev")
        .about("Runs proxy and sandbox on loopback; no account is needed and nothing leaves the machine")
        .arg(
            Arg::new("www")
                .long("www")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("A site to serve beside the proxy, on its own origin"),
        )
        .arg(
            Arg::new("sandbox-listen")
                .long("sandbox-listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:8788")
                .value_parser(value_parser!(SocketAddr))
                .help("Where the sandbox stands in for TikTok"),
        )
}

/// What a page has to know to try the sandbox; served as `/duet-dev.json`.
#[derive(Clone, Serialize)]
struct Page {
    pixel_id: String,
    pixel_script_url: String,
    sandbox_url: String,
    track_path: String,
}

/// Runs until the process is told to stop.
pub(super) fn run(
    matches: &ArgMatches,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let www = matches.get_one::<PathBuf>("www").cloned();
    let sandbox_listen = matches.get_one::<SocketAddr>("sandbox-listen").copied();
    let folder = env::temp_dir().join(format!("duet-dev-{}", process::id()));
    let ended = serve::on_this_thread(async {
        let listener = bind(
            sandbox_listen.context("--sandbox-listen has a default")?,
            "--sandbox-listen",
        )
        .await?;
        let sandbox_url = format!("http://{}", listener.local_addr()?);
        let options = Options::default();
        let config = config(&lookup, &options, &sandbox_url, &folder)?;
        ensure!(
            config.server.listen.ip().is_loopback(),
            "DUET_LISTEN: dev listens on loopback only"
        );

        let (stop, stopped) = watch::channel(false);
        let sandbox = tokio::spawn(duet_sandbox::serve(
            listener,
            Sandbox::new(options),
            until(stopped),
        ));
        let proxy = serve::listen(&config).await?;
        let page = Page {
            pixel_id: config.tiktok.pixel_id.as_str().to_owned(),
            pixel_script_url: format!("{sandbox_url}/i18n/pixel/events.js"),
            sandbox_url: sandbox_url.clone(),
            track_path: config.server.track_path.clone(),
        };
        announce(proxy.local_addr()?, &page, www.is_some());
        let stop_signal = serve::stop_signal()?;
        serve::outlive_file_limits()?;
        duet_proxy::run_with(&config, proxy, stop_signal, |router| {
            with_site(router, page, www)
        })
        .await?;
        stop.send_replace(true);
        sandbox.await??;
        Ok(())
    });
    // A folder that cannot be removed is left to the system's own clean-up.
    let _ = fs::remove_dir_all(&folder);
    Ok(ended?)
}

/// The settings, with the sandbox in TikTok's place wherever nothing else is said.
fn config(
    lookup: impl Fn(&str) -> Option<String>,
    options: &Options,
    sandbox_url: &str,
    folder: &Path,
) -> Result<Config> {
    let pixel = options.pixels.first().context("the sandbox has no pixel")?;
    let config = Config::read(|name| match name {
        "TIKTOK_PIXEL_ID" => Some(pixel.code.clone()),
        "TIKTOK_ACCESS_TOKEN" => Some(pixel.access_token.clone()),
        "TIKTOK_API_BASE" => Some(sandbox_url.to_owned()),
        "NEXT_PUBLIC_TIKTOK_PIXEL_ID" | "TIKTOK_ACCESS_TOKEN_FILE" => None,
        "DUET_DATA_DIR" => lookup(name).or_else(|| folder.to_str().map(str::to_owned)),
        "CLERK_ISSUER" => lookup(name).or_else(|| Some(sandbox_url.to_owned())),
        "CLERK_AUTHORIZED_PARTIES" => lookup(name).or_else(|| parties(&lookup)),
        _ => lookup(name),
    });
    config.map_err(|problems| {
        anyhow::anyhow!(
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")
        )
    })
}

/// Where the pages are that sign in at the sandbox: the site, and what else may send events.
fn parties(lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
    let listen = lookup("DUET_LISTEN").or_else(|| default_of("DUET_LISTEN").map(str::to_owned))?;
    let (_, port) = listen.rsplit_once(':')?;
    let others = lookup("DUET_ALLOWED_ORIGINS").unwrap_or_default();
    Some(format!("http://{listen},http://localhost:{port},{others}"))
}

fn with_site(router: Router, page: Page, www: Option<PathBuf>) -> Router {
    let router = router.route("/duet-dev.json", get(move || async { Json(page) }));
    match www {
        Some(folder) => router.fallback_service(ServeDir::new(folder)),
        None => router,
    }
}

#[allow(
    clippy::print_stdout,
    reason = "the addresses are what this command is asked for"
)]
fn announce(proxy: SocketAddr, page: &Page, site: bool) {
    if site {
        println!("shop     http://{proxy}/");
    }
    println!("proxy    http://{proxy}{}", page.track_path);
    println!("sandbox  {}/", page.sandbox_url);
    println!("pixel    {}", page.pixel_id);
    println!("Ctrl-C ends it.");
}

async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{flag}: {address} cannot be listened on"))
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the same to us.
    let _ = stopped.wait_for(|stop| *stop).await;
}
