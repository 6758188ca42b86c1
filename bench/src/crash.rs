//! Kills the proxy at random moments, under load and while TikTok fails for some time. Counts the accepted events that did
//! not arrive, and the events that arrived twice, with the reasons.
//!
//! SIGKILL does not change the kernel's page cache, so this benchmark cannot find a missing sync. The benchmark `growth`
//! counts the syncs, which shows that a sync comes before each 202. The queue's own tests show the effect of a write
//! without a sync.

mod books;
mod clients;

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

use crate::{
    proxy::{Proxy, waiting},
    server::{bound, free_address},
    sink::{Mode, Sink},
};
use books::Books;

const CLIENTS: usize = 16;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest time for the last proxy to deliver all remaining events.
const PATIENCE: Duration = Duration::from_mins(20);

/// Runs `rounds` lives of one store, each ended by a kill, and one last life in which the proxy delivers everything.
pub(crate) async fn measure(binary: &Path, rounds: u32) -> Result<()> {
    let sink = Sink::new(true);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stage = Stage::new(binary, listener.local_addr()?)?;
    let books = Arc::new(Books::default());
    let started = Instant::now();

    // Dropping this set ends its tasks.
    let mut surroundings = JoinSet::new();
    surroundings.spawn(Arc::clone(&sink).serve(listener));
    let weather = surroundings.spawn(weather(Arc::clone(&sink)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(clients::post(Arc::clone(&books), stage.address));
    }
    for life in 1..=rounds {
        if fastrand::u8(..10) == 0 {
            stage.kill_while_opening(life).await?;
        } else {
            stage.kill_under_load(life).await?;
        }
    }
    books.close();
    while let Some(client) = clients.join_next().await {
        client??;
    }

    weather.abort();
    sink.behave(Mode::Up);
    let drained = stage.drain(rounds + 1).await?;
    println!(
        "crash: {rounds} rounds of load and SIGKILL in {:.0} s, the rest delivered in {:.1} s",
        started.elapsed().as_secs_f64(),
        drained.as_secs_f64()
    );
    books.balance(sink.receipts());
    Ok(())
}

/// The store and the address that all killed processes share.
struct Stage {
    proxy: Proxy,
    address: SocketAddr,
    folder: TempDir,
}

impl Stage {
    fn new(binary: &Path, sink: SocketAddr) -> Result<Self> {
        let proxy = Proxy::new(binary)?.delivering_to(sink);
        Ok(Self {
            folder: proxy.folder()?,
            address: free_address()?,
            proxy,
        })
    }

    async fn kill_under_load(&self, life: u32) -> Result<()> {
        let proxy = self.proxy.clone().in_life(life);
        let server = proxy.start_at(self.address, self.folder.path())?;
        sleep(Duration::from_millis(fastrand::u64(50..300))).await;
        drop(server);
        Ok(())
    }

    /// Kills the proxy while it opens the store, because opening can crash too.
    async fn kill_while_opening(&self, life: u32) -> Result<()> {
        let proxy = self.proxy.clone().in_life(life);
        let mut command: Command = bound(proxy.binary());
        proxy.configure(&mut command, self.address, self.folder.path());
        let mut process = command.stdout(Stdio::null()).spawn()?;
        sleep(Duration::from_millis(fastrand::u64(..40))).await;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    async fn drain(&self, life: u32) -> Result<Duration> {
        let proxy = self.proxy.clone().in_life(life);
        let server = proxy.start_at(self.address, self.folder.path())?;
        let started = Instant::now();
        while waiting(server.address)? > 0.0 {
            ensure!(
                started.elapsed() < PATIENCE,
                "the last proxy did not deliver all events in time"
            );
            sleep(LOOK_EVERY).await;
        }
        Ok(started.elapsed())
    }
}

/// Changes TikTok's behaviour at random. Most of the time TikTok works.
async fn weather(sink: Arc<Sink>) -> Result<()> {
    loop {
        sink.behave(match fastrand::u8(..100) {
            ..60 => Mode::Up,
            60..70 => Mode::Slow,
            70..85 => Mode::Down,
            _ => Mode::Cut,
        });
        sleep(Duration::from_millis(fastrand::u64(20..200))).await;
    }
}
