//! Measures how a growing queue changes the rate, the memory, the disk space, and the time to reopen the store. TikTok is
//! unreachable the whole time.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    event,
    figures::{count, grouped, median, print},
    fill, http,
    proxy::{Proxy, waiting},
    references,
    server::Server,
    syncs, usage,
    wrk::{Load, Turn},
};

const TURNS: usize = 5;
const TURN: Load = Load {
    connections: 64,
    seconds: 2,
    events: 1,
};
const READY_WITHIN: Duration = Duration::from_mins(5);

/// The results for one size of the queue.
struct Level {
    waiting: f64,
    resident_mib: f64,
    anonymous_mib: f64,
    disk_bytes: f64,
    ours: Vec<Turn>,
    bare: Vec<Turn>,
    written_bytes: Vec<f64>,
    /// Two times in seconds for each restart of a killed process: until its first 202, and until it is ready.
    reopened: Vec<(f64, f64)>,
}

/// Measures with an empty queue, with a million events and, if `long`, with ten million.
pub(crate) async fn measure(binary: &Path, long: bool) -> Result<()> {
    let proxy = Proxy::new(binary)?;
    let folder = proxy.folder()?;
    let sizes: &[u64] = if long {
        &[0, 1_000_000, 10_000_000]
    } else {
        &[0, 1_000_000]
    };
    let mut server = proxy.start(folder.path())?;
    let mut filled = 0;
    let mut levels = Vec::new();
    for size in sizes {
        let missing = count(*size) - waiting(server.address)?;
        if missing > 0.0 {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a whole number above 0"
            )]
            let to = filled + missing as u64;
            fill::fill(server.address, filled..to).await?;
            filled = to;
        }
        let mut level = look(&server, folder.path())?;
        load(&mut level, &server, folder.path())?;
        for _ in 0..TURNS {
            server = reopen(&mut level, server, &proxy, folder.path())?;
        }
        levels.push(level);
    }
    report(&levels);
    drop(server);
    syncs::count(&proxy, TURN)
}

fn look(server: &Server, folder: &Path) -> Result<Level> {
    Ok(Level {
        waiting: waiting(server.address)?,
        resident_mib: server.resident_mib()?,
        anonymous_mib: usage::status_kib(server.id(), "RssAnon")? / 1024.0,
        disk_bytes: disk_bytes(folder)?,
        ours: Vec::new(),
        bare: Vec::new(),
        written_bytes: Vec::new(),
        reopened: Vec::new(),
    })
}

fn load(level: &mut Level, server: &Server, folder: &Path) -> Result<()> {
    for _ in 0..TURNS {
        level.bare.push(TURN.run(&references::bare()?)?);
        let written = usage::device_written_bytes(folder);
        let turn = TURN.run(server)?;
        let written = usage::device_written_bytes(folder)
            .and_then(|after| Ok(after - written?))
            .unwrap_or(f64::NAN);
        if turn.refused + turn.broken > 0.0 {
            println!(
                "!! {} requests were rejected or got no answer",
                turn.refused + turn.broken
            );
        }
        level.written_bytes.push(written / turn.events);
        level.ours.push(turn);
    }
    Ok(())
}

fn reopen(level: &mut Level, server: Server, proxy: &Proxy, folder: &Path) -> Result<Server> {
    // Dropping a `Server` sends SIGKILL.
    drop(server);
    let started = Instant::now();
    let server = proxy.start(folder)?;
    while !http::request(server.address, "GET", "/readyz", "")?.is_success() {
        ensure!(
            started.elapsed() < READY_WITHIN,
            "the proxy did not become ready in time"
        );
        std::thread::yield_now();
    }
    level.reopened.push((
        server.first_answer.as_secs_f64(),
        started.elapsed().as_secs_f64(),
    ));
    Ok(server)
}

/// Returns the disk space of the files in a folder.
fn disk_bytes(folder: &Path) -> Result<f64> {
    let mut bytes = 0.0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            count(metadata.blocks() * 512)
        };
    }
    Ok(bytes)
}

fn report(levels: &[Level]) {
    println!(
        "growth: {} connections, medians of {TURNS} turns of {} s, TikTok down",
        TURN.connections, TURN.seconds
    );
    let rows: Vec<_> = levels
        .iter()
        .map(|level| (format!("{} wait", grouped(level.waiting)), cells(level)))
        .collect();
    let columns = [
        "events/s",
        "/ bare",
        "CPU us/event",
        "/ bare",
        "RSS MiB",
        "anonymous",
        "disk bytes/event",
        "written/JSON",
        "to 202 s",
        "to ready s",
    ];
    print(&columns, &rows);
}

fn cells(level: &Level) -> Vec<String> {
    let of = |turns: &[Turn], figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    let rate = of(&level.ours, |turn| turn.rate);
    let cpu = of(&level.ours, |turn| turn.cpu_us);
    let written = median(level.written_bytes.iter().copied());
    let to_answer = median(level.reopened.iter().map(|(answer, _)| *answer));
    let to_ready = median(level.reopened.iter().map(|(_, ready)| *ready));
    vec![
        grouped(rate),
        format!("{:.3}", rate / of(&level.bare, |turn| turn.rate)),
        format!("{cpu:.1}"),
        format!("{:.2}", cpu / of(&level.bare, |turn| turn.cpu_us)),
        format!("{:.1}", level.resident_mib),
        format!("{:.1}", level.anonymous_mib),
        if level.waiting < 1000.0 {
            String::new()
        } else {
            grouped(level.disk_bytes / level.waiting)
        },
        format!("{:.2}", written / count(event::bytes() as u64)),
        format!("{to_answer:.3}"),
        format!("{to_ready:.3}"),
    ]
}
