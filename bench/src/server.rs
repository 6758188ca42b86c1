//! A server process that is started for a measurement and ends with it.

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
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer to an event.
    pub(crate) first_answer: Duration,
}

/// A program that does not outlive this one, however this one ends.
pub(crate) fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// An address of this machine where nobody listens.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Server {
    /// Starts `command`, which listens at `address`, and posts one event to it as soon as that is possible.
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

    /// The process, as the kernel knows it.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// CPU time so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        usage::cpu_us(self.id())
    }

    /// Resident memory in MiB: all of it, the program's own pages included.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        Ok(usage::status_kib(self.id(), "VmRSS")? / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
