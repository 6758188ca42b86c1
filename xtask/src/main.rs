//! `cargo xtask <what>`: every daily act of this repository by one name. CI runs the same names.
#![allow(clippy::print_stdout, reason = "a command line talks on its output")]

mod bench;
mod demo;
mod run;
mod sdk;
mod simulate;
mod test;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask demo     the shop, the proxy and a stand-in for TikTok, built and running
cargo xtask test     everything that must pass, browsers included; `test PART` runs the checks whose names contain PART
cargo xtask sdk      build the npm package into target/npm/
cargo xtask simulate live a shop's week once for each seed, and look for what is lost or doubled; `--seeds N`, `--from N`,
                     `--seed S` tells the story of one, `--plant NAME` looks for a planted fault
cargo xtask bench    sizes, rates, memory, crashes, leaving; `bench NAME [--long]` runs one of them
";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("demo") => demo::show(arguments),
        Some("test") => test::run_checks(&arguments.collect::<Vec<_>>()),
        Some("sdk") => sdk::build().map(|_| ()),
        Some("simulate") => simulate::run(arguments),
        Some("bench") => bench::measure(arguments),
        Some("help" | "--help" | "-h") | None => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("there is no `cargo xtask {other}`\n{USAGE}"),
    }
}
