//! The program: runs the command that the command line names, prints its errors, and returns the exit code.

use std::process::ExitCode;

mod cli;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Files, folders and the control socket must be readable by the process's own user only, from the moment they are created.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    // A variable whose bytes are not UTF-8 must not look absent. Such a variable is kept, with replacement characters, and
    // reported as invalid.
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
