//! `duet-proxy healthcheck`: checks that the proxy on `DUET_LISTEN` answers. Containers use this command, because their image
//! has no other program for this check.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Command;
use duet_proxy::config::settings::{SETTINGS, default_of};
use http_body_util::Empty;
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime, time};

const LISTEN: &str = "DUET_LISTEN";
/// How long the command waits for the proxy's answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Returns the command and its only setting.
pub(super) fn command() -> Command {
    let listen = SETTINGS.iter().filter(|setting| setting.name == LISTEN);
    Command::new("healthcheck")
        .about("Requests /healthz from the proxy on DUET_LISTEN; fails if the proxy does not answer with 200")
        .args(listen.map(super::argument))
}

/// Sends one request and checks the answer.
pub(super) fn run(lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let listen = lookup(LISTEN).or_else(|| default_of(LISTEN).map(str::to_owned));
    let address = listen.unwrap_or_default().parse().with_context(|| {
        format!("{LISTEN}: must be an address and a port, such as 127.0.0.1:8787")
    })?;
    let address = reachable(address);
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answered = time::timeout(PATIENCE, ask(address)).await;
        answered.with_context(|| {
            format!(
                "{address} must answer within {} s, got nothing",
                PATIENCE.as_secs()
            )
        })?
    })
}

async fn ask(address: SocketAddr) -> Result<()> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("a proxy must listen on {address}, but the connection failed"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/healthz")
        .header(HOST, "localhost")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await;
    connection.abort();
    let status = answer
        .with_context(|| format!("{address} must answer in HTTP"))?
        .status();
    ensure!(
        status == StatusCode::OK,
        "{address} must answer with 200, got {}",
        status.as_u16()
    );
    Ok(())
}

/// Returns the address to connect to: the loopback address if `address` means all addresses of the machine, and otherwise
/// `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
