//! `cargo xtask demo`: builds and runs the shop, the proxy and a fake TikTok. With `--postgres`, the shop runs on several
//! proxies and two servers of PostgreSQL.
//!
//! The shop's files are copied together with the npm package, so the shop uses Duet as a customer does.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::{
    run::{cargo_target, command, root, run},
    sdk,
};

/// Returns the command and its flags.
pub(crate) fn cli() -> Command {
    let address = |name, default, help| {
        Arg::new(name)
            .long(name)
            .value_name("ADDRESS")
            .default_value(default)
            .value_parser(value_parser!(SocketAddr))
            .help(help)
    };
    Command::new("demo")
        .about("Builds and runs the shop, the proxy, and fakes of TikTok and of a bank")
        .args([
            address("listen", "127.0.0.1:8787", "The address of shop and proxy"),
            address(
                "sandbox-listen",
                "127.0.0.1:8788",
                "The address of the fake TikTok",
            ),
            Arg::new("postgres")
                .long("postgres")
                .action(ArgAction::SetTrue)
                .help(
                    "Runs three proxies on PostgreSQL with a standby server, so that you can kill proxies and servers while you pay",
                ),
        ])
}

/// Builds everything, prints the instructions, and runs until Ctrl-C.
pub(crate) fn show(matches: &ArgMatches) -> Result<()> {
    let address = |name| {
        matches
            .get_one::<SocketAddr>(name)
            .context("the flag must have a default, got none")
    };
    let (shop, sandbox) = (address("listen")?, address("sandbox-listen")?);
    // Check the addresses before the build, because the build takes minutes.
    must_be_free("--listen", shop)?;
    must_be_free("--sandbox-listen", sandbox)?;

    let is_cluster = matches.get_flag("postgres");
    if is_cluster {
        must_have_postgres()?;
    }

    println!("1/3  building the SDK");
    let package = sdk::build()?;
    println!("\n2/3  building the proxy; the first build takes a few minutes");
    for package in ["duet-proxy", "duet-cluster"] {
        if package == "duet-proxy" || is_cluster {
            let build = ["build", "--quiet", "--package", package];
            run(command("cargo", build, &root()))?;
        }
    }
    println!("\n3/3  starting the shop, the proxy and a fake TikTok\n");
    let www = assemble(&package.folder)?;
    println!(
        "Open the shop, choose a plan, pay at the fake bank, and watch two signals become one conversion. The console shows what the proxy does with each event.\n"
    );

    let program = |name| {
        let built = cargo_target().join("debug").join(name);
        built.with_extension(std::env::consts::EXE_EXTENSION)
    };
    let proxy = program("duet-proxy");
    let mut demo = if is_cluster {
        let mut cluster = process::Command::new(program("duet-cluster"));
        cluster.arg("--proxy").arg(proxy);
        cluster
    } else {
        let mut dev = process::Command::new(proxy);
        dev.arg("dev");
        dev
    };
    demo.current_dir(root());
    demo.args(["--listen", &shop.to_string()]);
    demo.args(["--sandbox-listen", &sandbox.to_string()]);
    demo.arg("--www").arg(www);
    hand_over(demo)
}

/// Checks that a server of PostgreSQL is installed. Debian installs its programs into a folder that is not in `PATH`.
fn must_have_postgres() -> Result<()> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = debian.flatten().map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = debian.chain(std::env::split_paths(&path));
    ensure!(
        folders.any(|folder| folder.join("initdb").exists()),
        "--postgres needs a server of PostgreSQL; install it, such as with apt-get install postgresql"
    );
    Ok(())
}

fn must_be_free(flag: &str, address: &SocketAddr) -> Result<()> {
    TcpListener::bind(address).map(drop).with_context(|| {
        format!(
            "cannot listen on {address}; use another address: cargo xtask demo {flag} 127.0.0.1:0"
        )
    })
}

/// Copies the shop's files and the SDK to `target/www-demo/`.
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

/// Replaces this process by the program, so that Ctrl-C reaches only the program, and the program can shut down cleanly.
#[cfg(unix)]
fn hand_over(mut program: process::Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;

    Err(program.exec()).context("the proxy could not be started")
}

#[cfg(not(unix))]
fn hand_over(program: process::Command) -> Result<()> {
    run(program)
}
