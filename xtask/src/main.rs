//! `cargo xtask COMMAND`: every daily act of this repository by one name. CI runs the same names.
#![allow(clippy::print_stdout, reason = "a command line prints its results")]

mod bench;
mod demo;
mod run;
mod sdk;
mod simulate;
mod test;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask demo      build and run the shop, the proxy and stand-ins for TikTok and a bank
cargo xtask check     format, links, lints and unit tests: a minute once everything is built
cargo xtask test      everything that must pass, browsers included; `test PART` runs the checks whose names contain PART
cargo xtask sdk       build the npm package into target/npm/
cargo xtask simulate  run a simulated week of a shop for each seed, and search for lost or doubled events; `--seeds N`,
                      `--from N`; `--seed S` prints what happens in one; `--plant NAME` searches for a planted fault
cargo xtask bench     sizes, rates, memory, crashes, leaving; `bench NAME [--long]` runs one of them
";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("demo") => demo::show(arguments),
        Some("check") => test::run_quick(),
        Some("test") => test::run_checks(&arguments.collect::<Vec<_>>()),
        Some("sdk") => sdk::build().map(|_| ()),
        Some("simulate") => simulate::run(arguments),
        Some("bench") => bench::measure(arguments),
        Some("help" | "--help" | "-h") | None => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => bail!("the command must be one of these, got {other}\n{USAGE}"),
    }
}
