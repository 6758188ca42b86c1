//! `duet-proxy healthcheck`: does the proxy on `DUET_LISTEN` answer? For containers, which hold no other program
//! that could ask.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Command;
use duet_proxy::config::settings::{SETTINGS, default_of};

const LISTEN: &str = "DUET_LISTEN";
/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(3);
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 ";

/// The command, with the one setting it needs.
pub(super) fn command() -> Command {
    let listen = SETTINGS.iter().filter(|setting| setting.name == LISTEN);
    Command::new("healthcheck")
        .about("Asks /healthz of the proxy on DUET_LISTEN; fails where it does not answer")
        .args(listen.map(super::argument))
}

/// Asks once.
pub(super) fn run(lookup: impl Fn(&str) -> Option<String>) -> Result<()> {
    let listen = lookup(LISTEN).or_else(|| default_of(LISTEN).map(str::to_owned));
    let address = listen.unwrap_or_default().parse().with_context(|| {
        format!("{LISTEN}: must be an address and a port, such as 127.0.0.1:8787")
    })?;
    ask(reachable(address))
}

fn ask(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("nobody listens on {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut answer = [0; OK.len()];
    let answered = stream
        .write_all(REQUEST)
        .and_then(|()| stream.read_exact(&mut answer));
    answered.with_context(|| format!("{address} does not answer"))?;
    ensure!(answer == OK, "{address} answers, and not with 200");
    Ok(())
}

/// Who listens on every address is asked on this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
