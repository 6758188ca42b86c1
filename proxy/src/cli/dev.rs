//! `duet-proxy dev`: the proxy, and a sandbox in the place of TikTok, the bank and Clerk, on loopback, and a site to
//! try them with. No account is needed and nothing leaves the machine.

use std::{env, fs, net::SocketAddr, path::PathBuf, process};

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use duet_proxy::config::settings::default_of;
use duet_sandbox::{Options, Sandbox};
use tokio::{net::TcpListener, sync::watch};

use super::{Failure, serve};

mod agreed;
mod site;

use agreed::Agreed;
use site::Page;

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

/// Runs until the process is told to stop.
pub(super) fn run<'a>(
    matches: &ArgMatches,
    lookup: impl Fn(&str) -> Option<String>,
    names: impl IntoIterator<Item = &'a str>,
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
        let proxy = bind(own_address(&lookup)?, "DUET_LISTEN").await?;
        let agreed = Agreed::new(
            &lookup,
            sandbox_url.clone(),
            proxy.local_addr()?,
            folder.clone(),
        )?;
        let config = agreed.config(&lookup, names)?;

        let (stop, stopped) = watch::channel(false);
        let options = Options {
            pixels: vec![agreed.pixel.clone()],
            bank: agreed.bank(&config),
            ..Options::default()
        };
        let sandbox = tokio::spawn(duet_sandbox::serve(
            listener,
            Sandbox::new(options),
            until(stopped),
        ));
        let page = Page {
            pixel_id: config.tiktok.pixel_id.as_str().to_owned(),
            pixel_script_url: format!("{sandbox_url}/i18n/pixel/events.js"),
            bank_url: format!("{sandbox_url}/bank"),
            sandbox_url,
            track_path: config.server.track_path.clone(),
        };
        announce(agreed.proxy, &page, www.is_some());
        let stop_signal = serve::stop_signal()?;
        serve::outlive_file_limits()?;
        duet_proxy::run_with(&config, proxy, stop_signal, |router| {
            site::beside(router, page, agreed.server_key, www)
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
    println!("bank     {}", page.bank_url);
    println!("pixel    {}", page.pixel_id);
    println!("Ctrl-C ends it.");
}

/// Where the proxy is to listen.
fn own_address(lookup: impl Fn(&str) -> Option<String>) -> Result<SocketAddr> {
    let text = lookup("DUET_LISTEN").or_else(|| default_of("DUET_LISTEN").map(str::to_owned));
    let address: SocketAddr = text
        .context("DUET_LISTEN has a default")?
        .parse()
        .context("DUET_LISTEN: must be an address and a port, such as 127.0.0.1:8787")?;
    ensure!(
        address.ip().is_loopback(),
        "DUET_LISTEN: dev listens on loopback only"
    );
    Ok(address)
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
