//! `duet-proxy dev`: runs the proxy, a sandbox and optionally a site on loopback, so that a developer can try Duet. The sandbox
//! replaces TikTok, the bank and Clerk. The developer needs no account, and no data leaves the machine.

use std::{env, fs, net::SocketAddr, path::PathBuf, process, sync::Arc};

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Arg, ArgMatches, Command, value_parser};
use duet_proxy::{
    Listeners,
    config::{
        console::{self, Console},
        settings::default_of,
    },
    pixels::Pixels,
};
use duet_sandbox::{Options, Sandbox};
use tokio::{net::TcpListener, sync::watch};

use super::{Failure, serve};

mod agreed;
mod site;

use agreed::Agreed;
use site::Page;

/// Returns the command. Its arguments are flags of its own and the settings.
pub(super) fn command() -> Command {
    Command::new("dev")
        .about("Runs proxy and sandbox on loopback; no account is needed and no data leaves the machine")
        .arg(
            Arg::new("www")
                .long("www")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("The folder of a site that the proxy serves on its own origin"),
        )
        .arg(
            Arg::new("sandbox-listen")
                .long("sandbox-listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:8788")
                .value_parser(value_parser!(SocketAddr))
                .help("The address on which the sandbox replaces TikTok"),
        )
}

/// Runs until the process receives a stop signal.
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
            sandbox_listen.context("--sandbox-listen must have a default, got none")?,
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
        let mut config = agreed.config(&lookup, names)?;
        let listener_of_console = bind_console(&lookup).await?;
        let console_at = listener_of_console.local_addr()?;
        config.console = Some(Console::for_this_machine(console_at));

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
            pixel_id: config.tiktok.pixels.first().id.as_str().to_owned(),
            pixel_script_url: format!("{sandbox_url}/i18n/pixel/events.js"),
            bank_url: format!("{sandbox_url}/bank"),
            sandbox_url,
            track_path: config.server.track_path.clone(),
        };
        announce(agreed.proxy, console_at, &page, www.is_some());
        let stop_signal = serve::stop_signal()?;
        serve::outlive_file_limits()?;
        serve::warn_of_variables(&config);
        let pixels = Arc::new(Pixels::new(&config));
        let listeners = Listeners {
            events: proxy,
            console: Some(listener_of_console),
        };
        duet_proxy::run_with(&config, pixels, listeners, stop_signal, |router| {
            site::beside(router, page, agreed.server_key, www)
        })
        .await?;
        stop.send_replace(true);
        sandbox.await??;
        Ok(())
    });
    // If the folder cannot be removed, the system removes it later, because it is in the folder for temporary files.
    let _ = fs::remove_dir_all(&folder);
    Ok(ended?)
}

#[allow(
    clippy::print_stdout,
    reason = "printing the addresses is the purpose of the command"
)]
fn announce(proxy: SocketAddr, console: SocketAddr, page: &Page, site: bool) {
    if site {
        println!("shop     http://{proxy}/");
    }
    println!("proxy    http://{proxy}{}", page.track_path);
    println!("console  http://{console}/");
    println!("sandbox  {}/", page.sandbox_url);
    println!("bank     {}", page.bank_url);
    println!("pixel    {}", page.pixel_id);
    println!("Press Ctrl-C to stop.");
}

/// Returns the address on which the proxy must listen.
fn own_address(lookup: impl Fn(&str) -> Option<String>) -> Result<SocketAddr> {
    let text = lookup("DUET_LISTEN").or_else(|| default_of("DUET_LISTEN").map(str::to_owned));
    let address: SocketAddr = text
        .context("DUET_LISTEN must have a default, got none")?
        .parse()
        .context("DUET_LISTEN: must be an address and a port, such as 127.0.0.1:8787")?;
    ensure!(
        address.ip().is_loopback(),
        "DUET_LISTEN: must be a loopback address for dev"
    );
    Ok(address)
}

/// Binds the console's address. If the default port is in use, binds any free port.
async fn bind_console(lookup: impl Fn(&str) -> Option<String>) -> Result<TcpListener> {
    const NAME: &str = "DUET_CONSOLE_LISTEN";
    if let Some(text) = lookup(NAME) {
        let address = console::listen(text.trim());
        let address = address.map_err(|rule| anyhow!("{NAME}: {rule}"))?;
        ensure!(
            address.ip().is_loopback(),
            "{NAME}: must be a loopback address for dev"
        );
        return bind(address, NAME).await;
    }
    let address =
        console::default_listen().context("DUET_CONSOLE_LISTEN must have a default, got none")?;
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(_) => bind(SocketAddr::new(address.ip(), 0), NAME).await,
    }
}

async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{flag}: the process cannot listen on {address}"))
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender was dropped. A dropped sender stops the sandbox too.
    let _ = stopped.wait_for(|stop| *stop).await;
}
