//! A server process that runs for one measurement.

use std::{
    ffi::OsStr,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{event, http, sink, usage};

const PATIENCE: Duration = Duration::from_mins(2);

/// A running server.
pub(crate) struct Server {
    process: Child,
    /// The address of the server.
    pub(crate) address: SocketAddr,
    /// The time from the start of the process until it answered its first event.
    pub(crate) first_answer: Duration,
}

/// Prepares a command. The started process ends when this program ends, for any reason.
pub(crate) fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Returns a free address of this machine.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// Starts `command`, which must listen at `address`, and posts one event as soon as the server answers.
    pub(crate) fn start(mut command: Command, address: SocketAddr) -> Result<Self> {
        let started = Instant::now();
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{command:?} could not be started"))?;
        let mut server = Self {
            process,
            address,
            first_answer: Duration::ZERO,
        };
        let first = event::one(fastrand::u64(..) | sink::PROBES);
        while started.elapsed() < PATIENCE {
            if let Ok(answer) = http::request(address, "POST", event::TRACK, &first) {
                let status = answer.status;
                ensure!(answer.is_success(), "{command:?} answered {status}");
                server.first_answer = started.elapsed();
                return Ok(server);
            }
            let ended = server.process.try_wait()?;
            ensure!(ended.is_none(), "{command:?} ended: {ended:?}");
            std::thread::yield_now();
        }
        anyhow::bail!("{command:?} did not answer in time")
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns the CPU time until now, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        usage::cpu_us(self.id())
    }

    /// Returns the resident memory in MiB, including the pages of the program itself.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        Ok(usage::status_kib(self.id(), "VmRSS")? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `kill` and `wait` fail only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
