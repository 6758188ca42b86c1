//! The command line: what to run, with which settings, and how it ended.

use std::process::ExitCode;

mod cli;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cli::Failure::Usage(error)) => error.exit(),
        Err(cli::Failure::Said(lines)) => {
            for line in lines {
                eprintln!("duet-proxy: {line}");
            }
            ExitCode::FAILURE
        }
    }
}
