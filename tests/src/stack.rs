//! A complete Duet on free ports. The sandbox runs in this process, and the proxy runs as the binary that users run.
//!
//! Dropping a [`Stack`] fails the test if the sandbox found a violation of TikTok's contract. A test that causes a
//! violation on purpose removes it from the sandbox first. Dropping a stack also fails the test if an accepted event has
//! neither ended nor is held. A test can announce that events stay pending ([`Stack::leaves_waiting`]). If the proxy is not
//! running when the stack is dropped, it is started once more for this check.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use duet_sandbox::{Conversion, LoggedRequest, Options, Pixel, Sandbox, Severity};
use reqwest::{Client, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    runtime,
    sync::oneshot,
    time,
};

use crate::{
    Faults, Metrics,
    remains::{self, Successor},
};

/// How long a test waits for a condition before the test fails. No test measures speed, so this time must only be longer
/// than any step takes on a slow and busy machine.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// A second pixel that the sandbox knows. The proxy starts with the first pixel.
pub const OTHER_PIXEL: &str = "CDUETSANDBOX00000002";
/// The access token of [`OTHER_PIXEL`].
pub const OTHER_TOKEN: &str = "other-sandbox-token";
const TRACK: &str = "/api/analytics/tiktok/track";

/// A proxy process and its sandbox.
pub struct Stack {
    /// The sandbox, for reading its state and for injecting faults.
    pub sandbox: Sandbox,
    sandbox_url: String,
    proxy: Option<Child>,
    address: SocketAddr,
    http: Client,
    settings: Vec<(String, String)>,
    faults: Option<Faults>,
    /// Whether other proxies use the same store. These proxies share the metrics of pending events, but no other metrics.
    is_one_of_several: bool,
    folder: TempDir,
    has_run: bool,
    /// The exact number of events that must be pending at the end.
    leaves: AtomicI64,
    /// Whether a condition did not become true in time. In this case the test has already failed, and the check at the end
    /// is skipped.
    has_failed: AtomicBool,
    /// Ends the sandbox when dropped.
    _sandbox: oneshot::Sender<()>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; a string if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// Sends `request` and reads the answer.
    pub async fn to(request: RequestBuilder) -> Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Self {
            status,
            headers,
            body,
        })
    }
}

impl Stack {
    /// Starts a proxy and a strict sandbox. `settings` are added to the settings for the sandbox.
    pub async fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let mut stack = Self::prepare(settings).await?;
        stack.run_proxy().await?;
        Ok(stack)
    }

    /// Prepares what [`Stack::start`] starts, but does not start the proxy yet.
    pub async fn prepare(settings: &[(&str, &str)]) -> Result<Self> {
        let pixel = Pixel::default();
        let other = Pixel {
            code: OTHER_PIXEL.to_owned(),
            access_token: OTHER_TOKEN.to_owned(),
        };
        let options = Options {
            pixels: vec![pixel.clone(), other],
            ..Options::default()
        };
        let sandbox = Sandbox::new(options);
        let (sandbox_url, end) = serve(sandbox.clone())?;

        let folder = tempfile::tempdir()?;
        let address = free_address().await?;
        let own = [
            ("TIKTOK_PIXEL_ID", pixel.code.as_str()),
            ("TIKTOK_ACCESS_TOKEN", &pixel.access_token),
            ("TIKTOK_API_BASE", &sandbox_url),
            ("DUET_LISTEN", &address.to_string()),
            (
                "DUET_DATA_DIR",
                &folder.path().join("data").display().to_string(),
            ),
            ("DUET_LOG", "debug"),
        ];
        let settings = own
            .iter()
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Ok(Self {
            sandbox,
            sandbox_url,
            proxy: None,
            address,
            http: http_client(),
            settings,
            faults: None,
            is_one_of_several: false,
            folder,
            has_run: false,
            leaves: AtomicI64::new(0),
            has_failed: AtomicBool::new(false),
            _sandbox: end,
        })
    }

    /// Prepares another proxy with the same settings, sandbox and store, but with a separate address and folder.
    pub async fn another_of_several(&mut self) -> Result<Self> {
        self.is_one_of_several = true;
        let mut other = Self::prepare(&[]).await?;
        let own = ["DUET_LISTEN", "DUET_DATA_DIR"];
        let shared = |(name, _): &&(String, String)| !own.contains(&name.as_str());
        let settings = self.settings.iter().filter(shared).cloned();
        other.settings.retain(|setting| !shared(&setting));
        other.settings.extend(settings);
        other.sandbox = self.sandbox.clone();
        other.sandbox_url.clone_from(&self.sandbox_url);
        other.is_one_of_several = true;
        Ok(other)
    }

    /// Starts a stack as [`Stack::start`] does. [`Stack::faults`] then controls the proxy's disk and clock.
    pub async fn start_with_faults(settings: &[(&str, &str)]) -> Result<Self> {
        let mut stack = Self::prepare_with_faults(settings).await?;
        stack.run_proxy().await?;
        Ok(stack)
    }

    /// Prepares what [`Stack::start_with_faults`] starts, but does not start the proxy yet.
    pub async fn prepare_with_faults(settings: &[(&str, &str)]) -> Result<Self> {
        let mut stack = Self::prepare(settings).await?;
        let control = stack.folder.path().join("faults");
        stack.faults = Some(Faults::new(control, stack.data_dir())?);
        Ok(stack)
    }

    /// Returns the control of the proxy's disk and clock. Returns an error if the stack was started without faults.
    pub fn faults(&self) -> Result<&Faults> {
        self.faults
            .as_ref()
            .context("the stack must be started with faults, for instance by start_with_faults")
    }

    /// Ends the process like a loss of power: data that the proxy wrote without a sync is lost.
    pub async fn cut_power(&mut self) -> Result<()> {
        self.faults()?.cut_power()?;
        let mut proxy = self.proxy.take().context("the proxy does not run")?;
        time::timeout(PATIENCE, proxy.wait()).await??;
        Ok(())
    }

    /// Sets a variable for the next start of the proxy.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the URL of the sandbox.
    pub fn sandbox_url(&self) -> &str {
        &self.sandbox_url
    }

    /// Starts the proxy process again after [`Stack::kill`] or [`Stack::stop`].
    pub async fn run_proxy(&mut self) -> Result<()> {
        self.run(Command::new(binary("duet-proxy")?)).await
    }

    /// Starts the proxy as [`Stack::run_proxy`] does, with a limit of `prlimit`, such as `--nofile=1024:1024`.
    pub async fn run_proxy_within(&mut self, limit: &str) -> Result<()> {
        let mut command = Command::new("prlimit");
        command.arg(limit).arg(binary("duet-proxy")?);
        self.run(command).await
    }

    /// Starts the proxy with `command`, to which the subcommand `serve` is added.
    pub async fn run(&mut self, mut command: Command) -> Result<()> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let proxy = command
            .arg("serve")
            .env_clear()
            .envs(self.settings.iter().cloned())
            .envs(self.faults.iter().flat_map(Faults::variables))
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        self.proxy = Some(proxy);
        self.has_run = true;
        self.until("the proxy answers", async |stack| {
            Ok(stack.get("/healthz").await.is_ok())
        })
        .await
    }

    /// Returns the proxy's process id.
    pub fn process(&self) -> Result<u32> {
        let proxy = self.proxy.as_ref().context("the proxy does not run")?;
        proxy.id().context("the proxy has ended")
    }

    /// Runs another `duet-proxy serve` with the same settings and additional `settings`. The second process must end by
    /// itself. Returns whether it ended successfully, and its output.
    pub async fn another(&self, settings: &[(&str, &str)]) -> Result<(bool, String)> {
        let running = Command::new(binary("duet-proxy")?)
            .arg("serve")
            .env_clear()
            .envs(self.settings.iter().cloned())
            .env("DUET_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied())
            .kill_on_drop(true)
            .output();
        let ended = time::timeout(PATIENCE, running)
            .await
            .context("the second process must end by itself, but it still runs")??;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        Ok((ended.status.success(), said))
    }

    /// Returns the output of an operator's command for the data directory.
    pub async fn command(&self, words: &[&str]) -> Result<String> {
        let output = Command::new(binary("duet-proxy")?)
            .args(words)
            .env_clear()
            .env("DUET_DATA_DIR", self.data_dir())
            .envs(
                self.settings
                    .iter()
                    .filter(|(name, _)| name == "DUET_QUEUE")
                    .cloned(),
            )
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Sends SIGKILL, so the process has no time to write anything.
    pub async fn kill(&mut self) -> Result<()> {
        let mut proxy = self.proxy.take().context("the proxy does not run")?;
        Ok(proxy.kill().await?)
    }

    /// Sends the process a signal by name, and does not wait.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let id = self.process()?.to_string();
        Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .await?;
        Ok(())
    }

    /// Sends SIGTERM. Returns whether the process then ended successfully.
    pub async fn stop(&mut self) -> Result<bool> {
        self.signal("TERM").await?;
        let mut proxy = self.proxy.take().context("the proxy does not run")?;
        Ok(time::timeout(PATIENCE, proxy.wait()).await??.success())
    }

    /// Prepares a request to the proxy.
    pub fn request(&self, method: &str, path: &str) -> Result<RequestBuilder> {
        Ok(self
            .http
            .request(method.parse()?, format!("http://{}{path}", self.address)))
    }

    /// Gets a path of the proxy.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        Answer::to(self.request("GET", path)?).await
    }

    /// Prepares a post to the track route, in the form of a page's own script.
    pub fn track(&self, body: &Value) -> Result<RequestBuilder> {
        let request = self.request("POST", TRACK)?;
        Ok(request
            .header("content-type", "text/plain;charset=UTF-8")
            .body(body.to_string()))
    }

    /// Returns the proxy's current counters.
    pub async fn metrics(&self) -> Result<Metrics> {
        let response = self.request("GET", "/metrics")?.send().await?;
        Ok(Metrics::read(&response.text().await?))
    }

    /// Posts an event. The proxy must accept the event.
    pub async fn accepted(&self, body: &Value) -> Result<Answer> {
        let answer = Answer::to(self.track(body)?).await?;
        ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
        Ok(answer)
    }

    /// Returns the variables with which the proxy is started.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Returns the proxy's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the sandbox has counted `count` conversions, and returns them.
    pub async fn conversions(&self, count: usize) -> Result<Vec<Conversion>> {
        self.until(
            &format!("the sandbox has counted {count} conversions"),
            async |stack| Ok(stack.sandbox.conversions().len() >= count),
        )
        .await?;
        let conversions = self.sandbox.conversions();
        ensure!(
            conversions.len() == count,
            "the sandbox must count {count} conversions, got {}",
            conversions.len()
        );
        Ok(conversions)
    }

    /// Returns all Events API requests until now.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.sandbox.requests()
    }

    /// Waits until a condition is true.
    pub async fn until(
        &self,
        what: &str,
        condition: impl AsyncFn(&Self) -> Result<bool>,
    ) -> Result<()> {
        let patience = async {
            while !condition(self).await? {
                time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        time::timeout(PATIENCE, patience).await.unwrap_or_else(|_| {
            self.has_failed.store(true, Ordering::Relaxed);
            bail!("timed out waiting until {what}\n{}", self.log())
        })
    }

    /// Announces that exactly `events` accepted events are pending when the stack is dropped.
    pub fn leaves_waiting(&self, events: i64) {
        self.leaves.store(events, Ordering::Relaxed);
    }

    /// Checks that exactly the announced events are pending.
    fn check_remains(&mut self) -> Result<()> {
        if !self.has_run || self.has_failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let is_running = match &mut self.proxy {
            Some(proxy) => proxy.try_wait()?.is_none(),
            None => false,
        };
        let _successor = if is_running {
            None
        } else {
            Some(self.successor()?)
        };
        let leaves = self.leaves.load(Ordering::Relaxed);
        remains::wait_for(leaves, self.address, !self.is_one_of_several)
    }

    /// Starts the proxy once more, without tokio, because the test's runtime may already be dropped.
    fn successor(&self) -> Result<Successor> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut command = std::process::Command::new(binary("duet-proxy")?);
        command
            .arg("serve")
            .env_clear()
            .envs(self.settings.iter().cloned())
            .envs(self.faults.iter().flat_map(Faults::variables))
            .stderr(log);
        Successor::start(command)
    }

    /// Returns the proxy's log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Returns the proxy's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("proxy.log")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        let checked = self.check_remains();
        assert!(
            checked.is_ok(),
            "the check of the events that remain at the end failed: {checked:#?}\n{}",
            self.log()
        );
        let mut violations = self.sandbox.violations();
        violations.retain(|found| found.severity == Severity::Violation);
        assert!(
            violations.is_empty(),
            "the sandbox found violations of TikTok's contract: {violations:#?}"
        );
    }
}

/// Serves the sandbox on its own thread, which continues while the test's thread is blocked. Returns the sandbox's URL, and
/// a value that ends the sandbox when it is dropped.
fn serve(sandbox: Sandbox) -> Result<(String, oneshot::Sender<()>)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (end, ended) = oneshot::channel();
    thread::Builder::new()
        .name("sandbox".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                let ended = async {
                    let _ = ended.await;
                };
                duet_sandbox::serve(listener, sandbox, ended).await
            })
        })?;
    Ok((url, end))
}

/// Makes a client. The build shares the client's features with the proxy, so the client supports TLS but has no TLS
/// provider. No test uses TLS with this client.
pub fn http_client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// Returns an address with a free port.
///
/// # Errors
/// Returns an error if no port is free.
pub async fn free_address() -> Result<SocketAddr> {
    // These ports are below the range from which the system assigns ports automatically. Another program could get a port
    // of that range before the test uses it. Each run of the tests starts at another port.
    const FIRST: u32 = 20_000;
    const PORTS: u32 = 12_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(331);
    for _ in 0..PORTS {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(asked) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port)?));
        if TcpListener::bind(address).await.is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free")
}

/// Returns the path of a binary of this workspace, beside the test's own folder.
///
/// # Errors
/// Returns an error if the binary is not built.
pub fn binary(name: &str) -> Result<PathBuf> {
    built(name, name)
}

/// Returns the path of the file `name`, which the build of `package` writes.
pub(crate) fn built(name: &str, package: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).unwrap_or(Path::new("."));
    let path = folder.join(name);
    ensure!(
        path.exists(),
        "{} is not built; run `cargo build -p {package}`",
        path.display()
    );
    Ok(path)
}
