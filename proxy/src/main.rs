//! The command line: what to run, with which settings, and how it ended.

use std::process::ExitCode;

mod cli;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Whatever it writes is its own user's alone, from the moment it is there: folders, files, the control socket.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    // A variable that is not UTF-8 is not absent: what it sets is then said to be no text.
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    match cli::run(std::env::args_os(), &environment.collect()) {
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
