//! A server process that is started for a measurement and stopped by it.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

const EVENT: &str = r#"{"event":"Purchase","properties":{"contents":[{"content_id":"starter","content_name":"Starter","price":99000,"quantity":1}],"content_type":"product","value":99000,"currency":"VND"},"user":{"email":"lan@example.com","phone":"+84901234567","external_id":"user_2abcDEF"},"page":{"url":"https://shop.example/plans"}}"#;
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    /// From the start of the process to its first 202.
    pub(crate) first_answer: Duration,
}

impl Server {
    /// Starts `command`, which `configure` tells where to listen, and posts one event to `path` as soon
    /// as that is possible.
    pub(crate) fn start(
        mut command: Command,
        path: &str,
        configure: impl FnOnce(&mut Command, SocketAddr),
    ) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        configure(&mut command, address);
        let started = Instant::now();
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("the server could not be started")?;
        let mut server = Self {
            process,
            address,
            first_answer: Duration::ZERO,
        };
        while started.elapsed() < PATIENCE {
            if let Ok(status) = server.post(path) {
                ensure!(status == "202", "the server answered {status}");
                server.first_answer = started.elapsed();
                return Ok(server);
            }
            std::hint::spin_loop();
        }
        anyhow::bail!("the server did not answer in time")
    }

    /// Resident memory in KiB, as the kernel counts it.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))
            .context("memory is read from /proc, which is Linux's")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.context("no VmRSS in /proc")
    }

    fn post(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{EVENT}",
            self.address,
            EVENT.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).context("no status")?;
        Ok(status.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
