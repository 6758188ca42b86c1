//! Measures how many events per second each server accepts, and at what cost. The references for the proxy are nginx, a
//! bare handler, and two implementations of the former Next.js code.

use std::path::Path;

use anyhow::Result;

use crate::{
    figures::{count, grouped, median, print},
    proxy::{Proxy, metric},
    references,
    server::Server,
    sink,
    wrk::{Load, Turn},
};

const TURNS: usize = 5;
/// The load before the measurement. The results of this turn are not used.
pub(crate) const WARM_UP: Load = load(64, 1);
/// Next.js needs a longer warm-up, because it first compiles and optimises.
const NEXT_WARM_UP: Load = load(64, 20);
const TURN: Load = load(64, 4);
const CONNECTIONS: [u32; 5] = [1, 8, 64, 256, 1000];

const NGINX: &str = "nginx, 204";
const BARE: &str = "bare axum, 202";
const DOWN: &str = "duet-proxy, TikTok down";
const UP: &str = "duet-proxy, TikTok up";
const NODE: &str = "Node, fetch";
const NEXT: &str = "Next.js";

const fn load(connections: u32, seconds: u32) -> Load {
    Load {
        connections,
        seconds,
        events: 1,
    }
}

/// Runs all servers in turn. `long` adds Next.js, and measures with other numbers of connections too.
pub(crate) fn measure(binary: &Path, long: bool) -> Result<()> {
    let sink = references::sink()?;
    let next = long.then(|| references::next(sink.address)).transpose()?;
    if let Some(next) = &next {
        NEXT_WARM_UP.run(next)?;
    }
    let proxy = Proxy::new(binary)?;
    let delivering = proxy.clone().delivering_to(sink.address);
    let mut results = Results::default();
    let mut delivered = Vec::new();
    for _ in 0..TURNS {
        let folder = proxy.folder()?;
        results.add(NGINX, turn(&references::nginx(&folder)?, TURN)?);
        results.add(BARE, turn(&references::bare()?, TURN)?);
        results.add(DOWN, proxy_turn(&proxy, TURN)?);
        let (turn_up, rate) = delivering_turn(&delivering, &sink)?;
        results.add(UP, turn_up);
        delivered.push(rate);
        results.add(NODE, turn(&references::node(sink.address)?, TURN)?);
        if let Some(next) = &next {
            results.add(NEXT, turn(next, TURN)?);
        }
    }
    println!(
        "accept: {} connections, {}-byte events, medians of {TURNS} turns of {} s",
        TURN.connections,
        crate::event::bytes(),
        TURN.seconds
    );
    results.print();
    println!(
        "  accepting while delivering / accepting alone: {:.2}; {} events/s were delivered meanwhile",
        results.median(UP, |turn| turn.rate) / results.median(DOWN, |turn| turn.rate),
        grouped(median(delivered))
    );
    println!(
        "  p99 with TikTok down / up: {:.2}",
        results.median(DOWN, |turn| turn.p99_ms) / results.median(UP, |turn| turn.p99_ms)
    );
    if long {
        by_connections(&proxy)?;
    }
    Ok(())
}

/// Warms a server up, and then measures it once.
pub(crate) fn turn(server: &Server, load: Load) -> Result<Turn> {
    let warm_up = Load {
        seconds: WARM_UP.seconds,
        ..load
    };
    warm_up.run(server)?;
    load.run(server)
}

/// Runs the proxy once with a new store. Prints a clear warning if not every event was accepted.
fn proxy_turn(proxy: &Proxy, load: Load) -> Result<Turn> {
    let folder = proxy.folder()?;
    let server = proxy.start(folder.path())?;
    let turn = turn(&server, load)?;
    check(&server, &turn)?;
    Ok(turn)
}

fn delivering_turn(proxy: &Proxy, sink: &Server) -> Result<(Turn, f64)> {
    let folder = proxy.folder()?;
    let server = proxy.start(folder.path())?;
    WARM_UP.run(&server)?;
    sink::behave(sink, sink::Mode::Up)?;
    let turn = TURN.run(&server)?;
    let delivered = count(sink::count(sink)?.events) / f64::from(TURN.seconds);
    check(&server, &turn)?;
    Ok((turn, delivered))
}

/// Prints a clear warning if the proxy did not accept every event. In this case the measured rate has no value.
pub(crate) fn check(server: &Server, turn: &Turn) -> Result<()> {
    if turn.refused + turn.broken > 0.0 {
        println!(
            "!! {} requests were rejected and {} got no answer",
            turn.refused, turn.broken
        );
    }
    let accepted = metric(server.address, "duet_events_accepted_total")?;
    let repeats = metric(server.address, "duet_events_duplicate_total")?;
    if accepted < turn.events || repeats > 0.0 {
        println!(
            "!! {} events got an answer, but the proxy counted {accepted} as accepted and {repeats} as repeats",
            turn.events
        );
    }
    Ok(())
}

fn by_connections(proxy: &Proxy) -> Result<()> {
    println!("accept by connections: medians of {TURNS} turns of 2 s");
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let load = load(connections, 2);
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            bare.push(turn(&references::bare()?, load)?);
            ours.push(proxy_turn(proxy, load)?);
        }
        let of = |turns: &[Turn], figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
        let (rate, cpu) = (of(&ours, |turn| turn.rate), of(&ours, |turn| turn.cpu_us));
        rows.push((
            format!("{connections} connections"),
            vec![
                grouped(rate),
                format!("{:.2}", rate / of(&bare, |turn| turn.rate)),
                format!("{cpu:.1}"),
                format!("{:.2}", cpu / of(&bare, |turn| turn.cpu_us)),
                format!("{:.2}", of(&ours, |turn| turn.p50_ms)),
                format!("{:.2}", of(&ours, |turn| turn.p99_ms)),
            ],
        ));
    }
    let columns = [
        "events/s",
        "/ bare",
        "CPU us/event",
        "/ bare",
        "p50 ms",
        "p99 ms",
    ];
    print(&columns, &rows);
    Ok(())
}

/// The turns of each server, in the order of the servers.
#[derive(Default)]
struct Results(Vec<(&'static str, Vec<Turn>)>);

impl Results {
    fn add(&mut self, name: &'static str, turn: Turn) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, turns)) => turns.push(turn),
            None => self.0.push((name, vec![turn])),
        }
    }

    fn median(&self, name: &str, figure: fn(&Turn) -> f64) -> f64 {
        let turns = self.0.iter().filter(|(known, _)| *known == name);
        median(turns.flat_map(|(_, turns)| turns).map(figure))
    }

    fn print(&self) {
        let row = |(name, _): &(&'static str, Vec<Turn>)| {
            let rate = self.median(name, |turn| turn.rate);
            let cpu = self.median(name, |turn| turn.cpu_us);
            let p99 = self.median(name, |turn| turn.p99_ms);
            let cells = vec![
                grouped(rate),
                format!("{:.3}", rate / self.median(NGINX, |turn| turn.rate)),
                format!("{:.3}", rate / self.median(BARE, |turn| turn.rate)),
                format!("{cpu:.1}"),
                format!("{:.2}", cpu / self.median(BARE, |turn| turn.cpu_us)),
                format!("{:.2}", self.median(name, |turn| turn.p50_ms)),
                format!("{p99:.2}"),
                format!("{:.2}", p99 / self.median(BARE, |turn| turn.p99_ms)),
                format!("{:.2}", self.median(name, |turn| turn.wrk)),
                format!("{:.2}", self.median(name, |turn| turn.others)),
            ];
            ((*name).to_owned(), cells)
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        let columns = [
            "events/s",
            "/ nginx",
            "/ bare",
            "CPU us/event",
            "/ bare",
            "p50 ms",
            "p99 ms",
            "/ bare",
            "wrk's cores",
            "others'",
        ];
        print(&columns, &rows);
    }
}
