//! The proxies and their supervisor. The supervisor starts a proxy again some time after it has ended.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use duet_sandbox::Pixel;
use duet_tests::stack::free_address;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::Agreed;

const COUNT: usize = 3;
/// How long the supervisor waits until it starts an ended proxy again. The wait is longer than a lease, so another proxy
/// delivers during this time.
const AWAY: Duration = Duration::from_secs(20);
const START_WITHIN: Duration = Duration::from_mins(1);
/// How long a proxy may take to end after SIGTERM. In this time the proxy answers its last requests and delivers for at
/// most 20 s.
const STOP_WITHIN: Duration = Duration::from_secs(25);

/// The proxies that share one database.
pub(crate) struct Proxies {
    all: Vec<Proxy>,
    binary: PathBuf,
    /// The folders of the proxies, and the proxies' logs.
    folder: TempDir,
}

struct Proxy {
    number: usize,
    address: SocketAddr,
    console: SocketAddr,
    settings: Vec<(&'static str, String)>,
    state: State,
}

enum State {
    Runs(Child),
    Ended(Instant),
}

impl Proxies {
    /// Starts the proxies, and waits until they answer.
    pub(crate) async fn start(binary: &Path, agreed: &Agreed, queue: &str) -> Result<Self> {
        let mut proxies = Self {
            all: Vec::new(),
            binary: binary.to_owned(),
            folder: tempfile::tempdir()?,
        };
        for number in 1..=COUNT {
            let (address, console) = (free_address().await?, free_address().await?);
            let pixel = Pixel::default();
            let data = proxies.folder.path().join(format!("proxy-{number}"));
            let own = format!(
                "http://{0},http://localhost:{1}",
                agreed.shop,
                agreed.shop.port()
            );
            let settings = vec![
                ("TIKTOK_PIXEL_ID", pixel.code),
                ("TIKTOK_ACCESS_TOKEN", pixel.access_token),
                ("TIKTOK_API_BASE", agreed.sandbox_url.clone()),
                ("DUET_QUEUE", queue.to_owned()),
                ("DUET_DATA_DIR", data.display().to_string()),
                ("DUET_LISTEN", address.to_string()),
                ("DUET_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
                ("DUET_SERVER_KEY", agreed.secret.clone()),
                ("DUET_CONSOLE_LISTEN", console.to_string()),
                ("DUET_CONSOLE_TOKEN", agreed.secret.clone()),
                ("SEPAY_WEBHOOK_SECRET", agreed.secret.clone()),
                ("POLAR_WEBHOOK_SECRET", agreed.polar_secret()),
                ("CLERK_ISSUER", agreed.sandbox_url.clone()),
                ("CLERK_AUTHORIZED_PARTIES", own),
            ];
            let mut proxy = Proxy {
                number,
                address,
                console,
                settings,
                state: State::Ended(Instant::now()),
            };
            proxy.run(&proxies.binary, proxies.folder.path())?;
            proxies.all.push(proxy);
        }
        let begun = Instant::now();
        for proxy in &mut proxies.all {
            let log = proxies.folder.path().join(proxy.log());
            while TcpStream::connect(proxy.address).await.is_err() {
                let runs = proxy.ended()?.is_none() && begun.elapsed() < START_WITHIN;
                ensure!(
                    runs,
                    "a proxy did not start; its log:\n{}",
                    fs::read_to_string(&log)?
                );
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(proxies)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.all.iter().map(|proxy| proxy.address)
    }

    /// Returns a line about each proxy, with the command that kills it.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let logs = self.folder.path().join("*.log");
        let logs = format!("logs       {}", logs.display());
        let lines = self.all.iter().map(|proxy| {
            let Proxy {
                number, console, ..
            } = proxy;
            format!(
                "proxy {number}    console http://{console}/   {}",
                proxy.kill()
            )
        });
        lines.chain([logs])
    }

    /// Prints which proxies have ended, and starts a proxy again if it ended long enough ago.
    pub(crate) fn look(&mut self) -> Result<()> {
        for proxy in &mut self.all {
            let number = proxy.number;
            match &mut proxy.state {
                State::Runs(child) => {
                    if let Some(status) = child.try_wait()? {
                        proxy.state = State::Ended(Instant::now());
                        println!(
                            "proxy {number} has ended ({status}); the others take its requests and, after at most 15 s, its events"
                        );
                    }
                }
                State::Ended(at) if at.elapsed() > AWAY => {
                    proxy.run(&self.binary, self.folder.path())?;
                    println!("proxy {number} is started again: {}", proxy.kill());
                }
                State::Ended(_) => {}
            }
        }
        Ok(())
    }

    /// Ends all proxies with SIGTERM, as an operator does. The proxies still deliver events for some seconds.
    pub(crate) async fn stop(&mut self) {
        for proxy in &self.all {
            if let Some(id) = proxy.id() {
                let term = Command::new("kill")
                    .args(["-s", "TERM", &id.to_string()])
                    .status();
                // The signal fails only if the proxy has just ended, and then no signal is needed.
                let _ = term.await;
            }
        }
        for proxy in &mut self.all {
            if let State::Runs(child) = &mut proxy.state {
                // If the proxy still runs after this time, dropping the process kills it.
                let _ = timeout(STOP_WITHIN, child.wait()).await;
            }
        }
    }
}

impl Proxy {
    fn run(&mut self, binary: &Path, logs: &Path) -> Result<()> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(logs.join(self.log()))?;
        // The system ends the proxy when this program ends, for any reason. Ctrl-C sends its signal to this program only.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(binary)
            .arg("serve")
            .env_clear()
            .envs(
                self.settings
                    .iter()
                    .map(|(name, value)| (*name, value.as_str())),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("the proxy could not be started with setpriv")?;
        self.state = State::Runs(child);
        Ok(())
    }

    fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        match &mut self.state {
            State::Runs(child) => Ok(child.try_wait()?),
            State::Ended(_) => Ok(None),
        }
    }

    fn id(&self) -> Option<u32> {
        match &self.state {
            State::Runs(child) => child.id(),
            State::Ended(_) => None,
        }
    }

    fn kill(&self) -> String {
        self.id()
            .map_or_else(String::new, |id| format!("kill -9 {id}"))
    }

    fn log(&self) -> String {
        format!("proxy-{}.log", self.number)
    }
}
