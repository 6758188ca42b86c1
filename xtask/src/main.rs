//! `cargo xtask COMMAND`: one command for every daily task of this repository. CI runs the same commands.
#![allow(clippy::print_stdout, reason = "a command line prints its results")]

mod bench;
mod demo;
mod release;
mod run;
mod sdk;
mod simulate;
mod test;

use anyhow::Result;
use clap::Command;
use rustix::{fs::Mode, process::umask};

fn main() -> Result<()> {
    // Give new files and folders the same rights on every machine, so that packages have the same bytes.
    umask(Mode::from_raw_mode(0o022));
    let matches = cli().get_matches();
    let Some((name, matches)) = matches.subcommand() else {
        return Ok(());
    };
    match name {
        "demo" => demo::show(matches),
        "check" => test::run_quick(),
        "test" => test::run_checks(matches),
        "sdk" => sdk::build().map(|_| ()),
        "simulate" => simulate::run(passed_on()),
        "release" => release::run_command(matches),
        _ => bench::measure(passed_on()),
    }
}

/// Returns the command line. Every command and subcommand answers `--help` and rejects unknown words.
fn cli() -> Command {
    Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .about("One command for every daily task of this repository")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            demo::cli(),
            Command::new("check").about(
                "Checks format, links and lints, and runs the unit tests: takes a minute once everything is built",
            ),
            test::cli(),
            Command::new("sdk").about("Builds the npm package into target/npm/"),
            simulate::cli(),
            release::cli(),
            bench::cli(),
        ])
}

/// Returns the words after the command's name, to pass them on to another program.
fn passed_on() -> impl Iterator<Item = String> {
    std::env::args().skip(2)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::cli;

    fn answer(words: &str) -> Option<ErrorKind> {
        let words = ["xtask"].into_iter().chain(words.split_whitespace());
        cli()
            .try_get_matches_from(words)
            .err()
            .map(|error| error.kind())
    }

    #[test]
    fn every_command_answers_help() {
        let mut command = cli();
        command.build();
        let mut asked = vec![(String::new(), &command)];
        let mut count = 0;
        while let Some((words, command)) = asked.pop() {
            assert_eq!(
                answer(&format!("{words} --help")),
                Some(ErrorKind::DisplayHelp),
                "{words}"
            );
            count += 1;
            let named = command
                .get_subcommands()
                .filter(|command| command.get_name() != "help");
            asked.extend(named.map(|command| (format!("{words} {}", command.get_name()), command)));
        }
        assert!(count > 10, "{count}");
    }

    #[test]
    fn unknown_words_are_rejected() {
        for words in [
            "check quickly",
            "sdk --fast",
            "demo --listen here",
            "release linux-x65",
            "release pack --drafts",
            "release pack twice",
            "release linux-x64 twice",
            "simulate --seed",
            "bench --quick",
            "bench page twice",
        ] {
            assert!(answer(words).is_some(), "{words}");
        }
    }

    #[test]
    fn the_documented_commands_are_accepted() {
        for words in [
            "test documentation rooms",
            "demo --listen 127.0.0.1:0 --sandbox-listen 127.0.0.1:9",
            "demo --postgres",
            "release",
            "release --draft linux-x64",
            "release pack --draft linux-x64 linux-arm64",
            "release --draft twice linux-x64",
            "release upgrade v0.1.0",
            "simulate --seed 7 --plant forgets",
            "bench crash --rounds 1000",
            "bench deliver --long",
            "bench cluster",
            "bench cluster primary=3 races=50",
            "bench leave 9000 within pagehide tab",
            "bench live 600 10000",
            "bench fuzz -max_total_time=5",
        ] {
            assert_eq!(answer(words), None, "{words}");
        }
    }
}
