//! Three proxies on one database, a strict fake TikTok, and callers. At the end, the scene compares all accepted events and
//! paid orders with what TikTok got.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use duet_sandbox::{BankOptions, Limits, Options, Pixel, Sandbox, Severity};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, task::JoinHandle};

use super::{
    book::Book,
    load::{Caller, KEY},
    report::Report,
};
use crate::{
    client::Client,
    event, http,
    proxy::{Proxy, metric},
    server::{Server, free_address},
};

const CALLERS: usize = 8;
/// How long the proxies may take to deliver everything at the end. This includes the time until the lease of a killed proxy
/// expires.
const DRAIN: Duration = Duration::from_mins(3);
const ACCEPT: Duration = Duration::from_mins(1);
const SECRET: &str = "sandbox-secret";

pub(super) struct Scene {
    proxies: Vec<Option<Server>>,
    pub(super) book: Arc<Book>,
    pub(super) caller: Caller,
    pub(super) addresses: [SocketAddr; 3],
    proxy: Proxy,
    folder: TempDir,
    sandbox: Sandbox,
    callers: Vec<JoinHandle<()>>,
    runtime: Runtime,
}

impl Scene {
    /// Starts the proxies. The servers of PostgreSQL listen at `ports`.
    pub(super) fn open(binary: &Path, ports: &[u16]) -> Result<Self> {
        let runtime = runtime()?;
        let (sandbox, tiktok) = sandbox(&runtime)?;
        let proxy = Proxy::new(binary)?
            .delivering_to(tiktok)
            .with("DUET_QUEUE", setting(ports))
            // The proxies log many errors here, because the benchmark causes faults.
            .with("DUET_LOG", "off")
            .with("DUET_SERVER_KEY", KEY)
            .with("SEPAY_WEBHOOK_SECRET", SECRET);
        let addresses = [free_address()?, free_address()?, free_address()?];
        let book = Arc::new(Book::new());
        let mut scene = Self {
            caller: Caller {
                book: Arc::clone(&book),
                proxies: addresses,
                bank: sandbox.bank().clone(),
                http: runtime.block_on(async { Client::new() }),
            },
            proxies: vec![None, None, None],
            book,
            addresses,
            folder: proxy.folder()?,
            proxy,
            sandbox,
            callers: Vec::new(),
            runtime,
        };
        for at in 0..scene.addresses.len() {
            scene.start_proxy(at)?;
        }
        Ok(scene)
    }

    /// Starts the callers.
    pub(super) fn load(&mut self) {
        let calls = (0..CALLERS).map(|_| self.runtime.spawn(self.caller.clone().call()));
        self.callers.extend(calls);
        self.book.begin_pause();
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn start_proxy(&mut self, at: usize) -> Result<()> {
        let address = self
            .addresses
            .get(at)
            .context("the scene must have this proxy")?;
        let folder = self.folder.path().join(format!("proxy-{at}"));
        let server = self.proxy.start_at(*address, &folder)?;
        *self
            .proxies
            .get_mut(at)
            .context("the scene must have this proxy")? = Some(server);
        Ok(())
    }

    /// Kills a proxy. Dropping a [`Server`] sends SIGKILL.
    pub(super) fn kill_proxy(&mut self, at: usize) {
        if let Some(proxy) = self.proxies.get_mut(at) {
            *proxy = None;
        }
    }

    /// Returns the id of a proxy's process.
    pub(super) fn process(&self, at: usize) -> Result<u32> {
        let proxy = self.proxies.get(at).and_then(Option::as_ref);
        Ok(proxy.context("the proxy must run, but it was killed")?.id())
    }

    /// Returns which proxy delivers at present.
    pub(super) fn deliverer(&self) -> Result<usize> {
        let delivered = || -> Result<Vec<f64>> {
            let ended = |address: &SocketAddr| metric(*address, "duet_events_ended_total");
            self.addresses.iter().map(ended).collect()
        };
        let begun = Instant::now();
        let before = delivered()?;
        loop {
            let more = delivered()?
                .iter()
                .zip(&before)
                .position(|(now, then)| now > then);
            if let Some(at) = more {
                return Ok(at);
            }
            ensure!(
                begun.elapsed() < ACCEPT,
                "a proxy must deliver, but none did in time"
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until every proxy has accepted a new event.
    pub(super) fn wait_until_all_accept(&self) -> Result<()> {
        let begun = Instant::now();
        for address in self.addresses {
            loop {
                let number = self.book.new_number();
                let answer = http::request(address, "POST", event::TRACK, &event::one(number));
                if answer.is_ok_and(|answer| answer.is_success()) {
                    self.book.accept(number);
                    break;
                }
                ensure!(
                    begun.elapsed() < ACCEPT,
                    "every proxy must accept again, but not all did in time"
                );
                std::thread::park_timeout(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// Ends the calls and waits until everything is delivered. Then adds to the report how many events and sales were lost
    /// or counted twice.
    pub(super) fn close(mut self, what: &str, report: &mut Report) -> Result<()> {
        self.book.close();
        for call in std::mem::take(&mut self.callers) {
            self.runtime.block_on(call)?;
        }
        let (events, sales) = (self.book.events(), self.book.sales());
        let begun = Instant::now();
        let mut balance = self.balance(&events, &sales);
        while balance.lost > 0 && begun.elapsed() < DRAIN {
            std::thread::park_timeout(Duration::from_millis(500));
            balance = self.balance(&events, &sales);
        }
        report.gate(
            format!("{what}: number of accepted events and paid orders that TikTok did not get"),
            format!("{} of {} and {}", balance.lost, events.len(), sales.len()),
            "0",
            balance.lost == 0,
        );
        report.gate(
            format!("{what}: events and sales counted twice"),
            balance.twice.to_string(),
            "0",
            balance.twice == 0,
        );
        report.note(
            format!("{what}: events sent again with the same id, and not counted again"),
            balance.again.to_string(),
        );
        let mut problems = self.book.problems();
        let violations = self.sandbox.violations().into_iter();
        problems.extend(
            violations
                .filter(|found| found.severity == Severity::Violation)
                .map(|found| format!("{:?}: {}", found.rule, found.message)),
        );
        problems.truncate(3);
        report.gate(
            format!("{what}: unexpected answers, calls without an answer, violations"),
            if problems.is_empty() {
                "none".to_owned()
            } else {
                problems.join("; ")
            },
            "none",
            problems.is_empty(),
        );
        Ok(())
    }

    fn balance(&self, events: &[u64], sales: &[(String, bool)]) -> Balance {
        let mut counted: HashMap<String, u64> = HashMap::new();
        let mut again = 0;
        for conversion in self.sandbox.conversions() {
            again += conversion.signals.len() - 1;
            let order = conversion.properties.get("order_id");
            let name = match order.and_then(|order| order.as_str()) {
                Some(order) => sale(&conversion.event, order),
                None => conversion.event_id.unwrap_or_default(),
            };
            *counted.entry(name).or_default() += 1;
        }
        let events = events.iter().map(|number| format!("{number:032}"));
        let sold = sales.iter().flat_map(|(order, is_reported)| {
            let page = is_reported.then(|| sale("CompletePayment", order));
            page.into_iter().chain([sale("Subscribe", order)])
        });
        let lost = events
            .chain(sold)
            .filter(|name| !counted.contains_key(name));
        Balance {
            lost: lost.count(),
            twice: counted.values().filter(|times| **times > 1).count(),
            again,
        }
    }
}

struct Balance {
    lost: usize,
    twice: usize,
    again: usize,
}

fn sale(event: &str, order: &str) -> String {
    format!("{event} of {order}")
}

/// Makes a runtime whose threads work while this thread waits for processes.
pub(super) fn runtime() -> Result<Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    Ok(runtime.worker_threads(2).enable_all().build()?)
}

/// Returns the setting `DUET_QUEUE` of proxies whose servers of PostgreSQL listen at `ports`.
fn setting(ports: &[u16]) -> String {
    let hosts: Vec<_> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    format!("postgres://duet@{}/shop", hosts.join(","))
}

fn sandbox(runtime: &Runtime) -> Result<(Sandbox, SocketAddr)> {
    let options = Options {
        pixels: vec![Pixel {
            code: "CDUETBENCH0000000001".to_owned(),
            access_token: "life-0".to_owned(),
        }],
        limits: Limits {
            conversions: 10_000_000,
            ..Limits::default()
        },
        bank: BankOptions {
            secret: SECRET.to_owned(),
            ..BankOptions::default()
        },
        ..Options::default()
    };
    let sandbox = Sandbox::new(options);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let served = duet_sandbox::serve(listener, sandbox.clone(), std::future::pending());
    runtime.spawn(served);
    Ok((sandbox, address))
}
