//! Measures how many events per second are accepted with a hundred events per request.

use std::path::Path;

use anyhow::Result;

use crate::{
    accept,
    figures::{grouped, median, print},
    proxy::Proxy,
    references,
    wrk::{Load, Turn},
};

const TURNS: usize = 5;
const LOAD: Load = Load {
    connections: 8,
    seconds: 3,
    events: 100,
};

/// Runs the proxy and a bare handler in turn.
pub(crate) fn measure(binary: &Path) -> Result<()> {
    let proxy = Proxy::new(binary)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bare.push(LOAD.run(&references::bare()?)?);
        let folder = proxy.folder()?;
        let server = proxy.start(folder.path())?;
        let turn = LOAD.run(&server)?;
        accept::check(&server, &turn)?;
        ours.push(turn);
    }
    println!(
        "batches: {} events a request, {} connections, medians of {TURNS} turns of {} s",
        LOAD.events, LOAD.connections, LOAD.seconds
    );
    let rows = [("bare axum, 202", &bare), ("duet-proxy", &ours)].map(|(name, turns)| {
        let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
        let cells = vec![
            grouped(of(|turn| turn.rate)),
            format!("{:.2}", of(|turn| turn.cpu_us)),
            format!("{:.1}", of(|turn| turn.p50_ms)),
            format!("{:.1}", of(|turn| turn.p99_ms)),
        ];
        (name.to_owned(), cells)
    });
    print(&["events/s", "CPU us/event", "p50 ms", "p99 ms"], &rows);
    Ok(())
}
