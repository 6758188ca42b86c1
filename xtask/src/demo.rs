//! `cargo xtask demo`: the shop, the proxy and a stand-in for TikTok, built and running.
//!
//! The shop is served from a copy with the npm package in it, so it uses Duet as any customer does.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    run::{cargo_target, command, root, run},
    sdk,
};

const FLAGS: &str =
    "    --listen ADDRESS            of shop and proxy, 127.0.0.1:8787 when left out
    --sandbox-listen ADDRESS    of the stand-in for TikTok, 127.0.0.1:8788 when left out
";

struct Addresses {
    shop: SocketAddr,
    sandbox: SocketAddr,
}

/// Builds everything, says what to do, and runs until Ctrl-C.
pub(crate) fn show(arguments: impl Iterator<Item = String>) -> Result<()> {
    let addresses = read(arguments)?;
    // Before minutes of building, not after.
    must_be_free("--listen", addresses.shop)?;
    must_be_free("--sandbox-listen", addresses.sandbox)?;

    println!("1/3  building the SDK");
    let package = sdk::build()?;
    println!("\n2/3  building the proxy; the first time takes a few minutes");
    run(command(
        "cargo",
        ["build", "--quiet", "--package", "duet-proxy"],
        &root(),
    ))?;
    println!("\n3/3  starting the shop, the proxy and a stand-in for TikTok\n");
    let www = assemble(&package.folder)?;
    println!(
        "Open the shop, choose a plan, pay at the fake bank, and watch two signals become one conversion.\n"
    );

    let proxy = cargo_target()
        .join("debug/duet-proxy")
        .with_extension(std::env::consts::EXE_EXTENSION);
    let shop = addresses.shop.to_string();
    let sandbox = addresses.sandbox.to_string();
    let flags = [
        "dev",
        "--listen",
        &shop,
        "--sandbox-listen",
        &sandbox,
        "--www",
    ];
    let mut proxy = command(&proxy.display().to_string(), flags, &root());
    proxy.arg(www);
    hand_over(proxy)
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<Addresses> {
    let mut addresses = Addresses {
        shop: SocketAddr::from(([127, 0, 0, 1], 8787)),
        sandbox: SocketAddr::from(([127, 0, 0, 1], 8788)),
    };
    while let Some(flag) = arguments.next() {
        let address = match flag.as_str() {
            "--listen" => &mut addresses.shop,
            "--sandbox-listen" => &mut addresses.sandbox,
            _ => bail!("`cargo xtask demo` has no {flag}; it has\n{FLAGS}"),
        };
        let value = arguments.next().unwrap_or_default();
        *address = value
            .parse()
            .with_context(|| format!("{flag} {value}: an address is like 127.0.0.1:9000"))?;
    }
    Ok(addresses)
}

fn must_be_free(flag: &str, address: SocketAddr) -> Result<()> {
    TcpListener::bind(address).map(drop).with_context(|| {
        format!(
            "{address} cannot be listened on; another address: cargo xtask demo {flag} 127.0.0.1:0"
        )
    })
}

/// The shop's files with the SDK beside them, in `target/www-demo/`.
fn assemble(package: &Path) -> Result<PathBuf> {
    let www = root().join("target/www-demo");
    if www.exists() {
        fs::remove_dir_all(&www)?;
    }
    copy_files(&root().join("www-demo"), &www)?;
    copy_files(package, &www.join("duet-sdk"))?;
    Ok(www)
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Gives way to the program, so that Ctrl-C reaches it alone and it can end in order.
#[cfg(unix)]
fn hand_over(mut program: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;

    Err(program.exec()).context("the proxy could not be started")
}

#[cfg(not(unix))]
fn hand_over(program: Command) -> Result<()> {
    run(program)
}
