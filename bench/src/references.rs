//! The references for the proxy. Each reference is a separate process that answers the same POST.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::server::{Server, bound, free_address};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Starts nginx with one worker that answers 204. The folder contains its configuration.
pub(crate) fn nginx(folder: &TempDir) -> Result<Server> {
    let address = free_address()?;
    let configuration = folder.path().join("nginx.conf");
    fs::write(&configuration, nginx_configuration(address))?;
    let mut command = bound("nginx");
    command
        .args(["-e", "stderr", "-p"])
        .arg(folder.path())
        .arg("-c")
        .arg(configuration);
    Server::start(command, address).context("nginx is needed: apt-get install nginx-light")
}

fn nginx_configuration(address: SocketAddr) -> String {
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    format!(
        "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n{folders}access_log off; keepalive_requests 1000000000; client_max_body_size 1m;\n\
         server {{ listen {address} backlog=4096; location / {{ return 204; }} }} }}\n"
    )
}

/// Starts an axum handler that reads the body and answers 202.
pub(crate) fn bare() -> Result<Server> {
    serve("bare")
}

/// Starts the fake TikTok.
pub(crate) fn sink() -> Result<Server> {
    serve("sink")
}

fn serve(what: &str) -> Result<Server> {
    let address = free_address()?;
    let mut command = bound(std::env::current_exe()?);
    command.args(["serve", what]).arg(address.to_string());
    Server::start(command, address)
}

/// Starts plain Node, which sends one request to `sink` per event.
pub(crate) fn node(sink: SocketAddr) -> Result<Server> {
    let address = free_address()?;
    let mut command = bound("node");
    command
        .arg(Path::new(HERE).join("node/server.mjs"))
        .env("PORT", address.port().to_string())
        .env("SINK", format!("http://{sink}"));
    Server::start(command, address)
}

/// Builds and starts a Next.js route in production mode, which sends one request to `sink` per event.
pub(crate) fn next(sink: SocketAddr) -> Result<Server> {
    let folder = Path::new(HERE).join("next");
    for arguments in [&["ci", "--no-audit", "--no-fund"][..], &["run", "build"]] {
        let output = Command::new("npm")
            .args(arguments)
            .current_dir(&folder)
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .output()
            .context("npm could not be started")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "npm {arguments:?} failed:\n{said}");
    }
    let address = free_address()?;
    let mut command = bound("node");
    command
        .args(["node_modules/next/dist/bin/next", "start"])
        .args(["-H", "127.0.0.1", "-p"])
        .arg(address.port().to_string())
        .current_dir(folder)
        .env("NEXT_TELEMETRY_DISABLED", "1")
        .env("SINK", format!("http://{sink}"));
    Server::start(command, address)
}
