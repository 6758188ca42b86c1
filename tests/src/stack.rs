//! A whole Duet on free ports: the sandbox in this process, the proxy as the binary that users run.
//!
//! Dropping a [`Stack`] fails the test if the sandbox saw anything that TikTok's contract calls a
//! violation; a test that provokes one takes them out first. It also fails the test if an accepted event has neither
//! ended nor is held, unless the test announced it ([`Stack::leaves_waiting`]). A proxy that does not run by then is
//! started once more for that.

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
use duet_sandbox::{Conversion, LoggedRequest, Options, Sandbox, Severity};
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

/// How long a condition may take to come true before a test fails. No test is about speed: this only has to be longer
/// than anything takes on a slow machine with other things to do.
pub const PATIENCE: Duration = Duration::from_mins(2);
const TRACK: &str = "/api/analytics/tiktok/track";

/// A proxy process and its sandbox.
pub struct Stack {
    /// The sandbox, for looking in and for injecting faults.
    pub sandbox: Sandbox,
    sandbox_url: String,
    proxy: Option<Child>,
    address: SocketAddr,
    http: Client,
    settings: Vec<(String, String)>,
    faults: Option<Faults>,
    folder: TempDir,
    has_run: bool,
    /// How many events may be pending at the end.
    leaves: AtomicI64,
    /// Whether a condition did not come true: the test fails by that.
    has_failed: AtomicBool,
    /// Ends the sandbox when dropped.
    _sandbox: oneshot::Sender<()>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; a string where it is not JSON.
    pub body: Value,
}

impl Answer {
    /// Sends `request` and reads what comes back.
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
    /// Starts a proxy and a strict sandbox. `settings` come on top of those that lead to the sandbox.
    pub async fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let mut stack = Self::prepare(settings).await?;
        stack.run_proxy().await?;
        Ok(stack)
    }

    /// As [`Stack::start`], with a proxy that does not run yet.
    pub async fn prepare(settings: &[(&str, &str)]) -> Result<Self> {
        let options = Options::default();
        let pixel = options
            .pixels
            .first()
            .context("the sandbox has no pixel")?
            .clone();
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
            folder,
            has_run: false,
            leaves: AtomicI64::new(0),
            has_failed: AtomicBool::new(false),
            _sandbox: end,
        })
    }

    /// As [`Stack::start`], with a disk and a clock that [`Stack::faults`] commands.
    pub async fn start_with_faults(settings: &[(&str, &str)]) -> Result<Self> {
        let mut stack = Self::prepare_with_faults(settings).await?;
        stack.run_proxy().await?;
        Ok(stack)
    }

    /// As [`Stack::start_with_faults`], with a proxy that does not run yet.
    pub async fn prepare_with_faults(settings: &[(&str, &str)]) -> Result<Self> {
        let mut stack = Self::prepare(settings).await?;
        let control = stack.folder.path().join("faults");
        stack.faults = Some(Faults::new(control, stack.data_dir())?);
        Ok(stack)
    }

    /// What commands the proxy's disk and clock, in a stack that was started with it.
    pub fn faults(&self) -> Result<&Faults> {
        self.faults
            .as_ref()
            .context("the stack was started without faults")
    }

    /// Ends the process as a loss of power would: what the proxy wrote and no sync has brought to the disk is gone.
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

    /// Where the sandbox listens.
    pub fn sandbox_url(&self) -> &str {
        &self.sandbox_url
    }

    /// Starts the proxy process again, after [`Stack::kill`] or [`Stack::stop`].
    pub async fn run_proxy(&mut self) -> Result<()> {
        self.run(Command::new(binary("duet-proxy")?)).await
    }

    /// As [`Stack::run_proxy`], with a limit of `prlimit`, such as `--nofile=1024:1024`.
    pub async fn run_proxy_within(&mut self, limit: &str) -> Result<()> {
        let mut command = Command::new("prlimit");
        command.arg(limit).arg(binary("duet-proxy")?);
        self.run(command).await
    }

    /// Starts the proxy by a command of the test's own, to which `serve` is added.
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

    /// The proxy's process id.
    pub fn process(&self) -> Result<u32> {
        let proxy = self.proxy.as_ref().context("the proxy does not run")?;
        proxy.id().context("the proxy has ended")
    }

    /// Runs another `duet-proxy serve` with the same settings and `settings` on top, which is expected to end
    /// by itself; whether it ended well, and what it said.
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
            .context("it runs on")??;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        Ok((ended.status.success(), said))
    }

    /// What an operator's command about the data directory says.
    pub async fn command(&self, words: &[&str]) -> Result<String> {
        let output = Command::new(binary("duet-proxy")?)
            .args(words)
            .env_clear()
            .env("DUET_DATA_DIR", self.data_dir())
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// SIGKILL: no time to write anything down.
    pub async fn kill(&mut self) -> Result<()> {
        let mut proxy = self.proxy.take().context("the proxy does not run")?;
        Ok(proxy.kill().await?)
    }

    /// Sends the process a signal by its name, and goes on at once.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let id = self.process()?.to_string();
        Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .await?;
        Ok(())
    }

    /// SIGTERM, and whether the process then ended well.
    pub async fn stop(&mut self) -> Result<bool> {
        self.signal("TERM").await?;
        let mut proxy = self.proxy.take().context("the proxy does not run")?;
        Ok(time::timeout(PATIENCE, proxy.wait()).await??.success())
    }

    /// A request to the proxy.
    pub fn request(&self, method: &str, path: &str) -> Result<RequestBuilder> {
        Ok(self
            .http
            .request(method.parse()?, format!("http://{}{path}", self.address)))
    }

    /// Gets a path of the proxy.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        Answer::to(self.request("GET", path)?).await
    }

    /// Posts to the track route, as a page's own script does.
    pub fn track(&self, body: &Value) -> Result<RequestBuilder> {
        let request = self.request("POST", TRACK)?;
        Ok(request
            .header("content-type", "text/plain;charset=UTF-8")
            .body(body.to_string()))
    }

    /// What the proxy counts at this moment.
    pub async fn metrics(&self) -> Result<Metrics> {
        let response = self.request("GET", "/metrics")?.send().await?;
        Ok(Metrics::read(&response.text().await?))
    }

    /// Posts an event and expects it to be taken.
    pub async fn accepted(&self, body: &Value) -> Result<Answer> {
        let answer = Answer::to(self.track(body)?).await?;
        ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
        Ok(answer)
    }

    /// The variables the proxy is started with.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// The proxy's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the sandbox has counted `count` conversions, and gives them.
    pub async fn conversions(&self, count: usize) -> Result<Vec<Conversion>> {
        self.until(&format!("{count} conversions"), async |stack| {
            Ok(stack.sandbox.conversions().len() >= count)
        })
        .await?;
        let conversions = self.sandbox.conversions();
        ensure!(
            conversions.len() == count,
            "{} conversions instead of {count}",
            conversions.len()
        );
        Ok(conversions)
    }

    /// The Events API requests so far.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.sandbox.requests()
    }

    /// Waits for a condition.
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
            bail!("waited in vain until {what}\n{}", self.log())
        })
    }

    /// Announces that exactly so many accepted events are pending when the stack is dropped.
    pub fn leaves_waiting(&self, events: i64) {
        self.leaves.store(events, Ordering::Relaxed);
    }

    /// Checks that no accepted event is left but the announced ones.
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
        remains::wait_for(self.leaves.load(Ordering::Relaxed), self.address)
    }

    /// Starts the proxy once more, without the test's runtime.
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

    /// What the proxy has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The proxy's data directory.
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
            "an accepted event is unaccounted for: {checked:#?}\n{}",
            self.log()
        );
        let mut violations = self.sandbox.violations();
        violations.retain(|found| found.severity == Severity::Violation);
        assert!(
            violations.is_empty(),
            "TikTok's contract was violated: {violations:#?}"
        );
    }
}

/// Serves the sandbox on a thread of its own, which goes on while the test's is blocked; its URL, and what ends it when
/// dropped.
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

/// Built together with the proxy, the client has TLS and no provider for it, although nothing here uses TLS.
pub fn http_client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// A port that nobody listens on.
///
/// # Errors
/// When none is left.
pub async fn free_address() -> Result<SocketAddr> {
    // Below the ports that the system gives to whoever asks for any: one of those could be somebody else's before it is
    // used. Other runs of the tests begin elsewhere.
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

/// A binary of this workspace, beside the test's own folder.
///
/// # Errors
/// When it is not built.
pub fn binary(name: &str) -> Result<PathBuf> {
    built(name, name)
}

/// A file that `package` is built into.
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
