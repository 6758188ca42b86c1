//! Measures the rate of accepted events while four pages of the console are open, and compares it with the rate without an
//! open page. Turns with open pages and turns without open pages alternate.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread::{self, JoinHandle},
};

use anyhow::{Result, ensure};

use crate::{
    figures::{grouped, median},
    proxy::Proxy,
    server::free_address,
    wrk::{Load, Turn},
};

const TURNS: usize = 5;
const TURN: Load = Load {
    connections: 64,
    seconds: 4,
    events: 1,
};
const PAGES: usize = 4;
const TOKEN: &str = "the-token-of-the-benchmark";

/// Runs all turns, and prints the medians.
pub(crate) fn measure(binary: &Path) -> Result<()> {
    let address = free_address()?;
    let proxy = Proxy::new(binary)?.with_console(address, TOKEN);
    let folder = proxy.folder()?;
    let server = proxy.start(folder.path())?;
    TURN.run(&server)?;
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        alone.push(TURN.run(&server)?);
        let pages = (0..PAGES).map(|_| open(address));
        let pages = pages.collect::<Result<Vec<_>>>()?;
        watched.push(TURN.run(&server)?);
        for (stream, reading) in pages {
            stream.shutdown(std::net::Shutdown::Both)?;
            let bytes = reading.join().unwrap_or(0);
            ensure!(bytes > 10_000, "a page got only {bytes} bytes");
        }
    }
    let of = |turns: &[Turn], figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
    println!("console: medians of {TURNS} turns of {} s", TURN.seconds);
    for (name, turns) in [("no page open", &alone), ("4 pages open", &watched)] {
        println!(
            "  {name}: {} events/s, {:.1} us of CPU an event, p99 {:.1} ms",
            grouped(of(turns, |turn| turn.rate)),
            of(turns, |turn| turn.cpu_us),
            of(turns, |turn| turn.p99_ms)
        );
    }
    let ratio = of(&watched, |turn| turn.rate) / of(&alone, |turn| turn.rate);
    println!("  with / without: {ratio:.3}");
    Ok(())
}

/// Opens the connection on which a page of the console gets its updates, and reads it on a thread. The thread returns the
/// number of bytes that it read.
fn open(address: SocketAddr) -> Result<(TcpStream, JoinHandle<u64>)> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /console/live? HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    )?;
    let mut reader = stream.try_clone()?;
    let reading = thread::spawn(move || {
        let (mut bytes, mut part) = (0, vec![0; 65_536]);
        while let Ok(read @ 1..) = reader.read(&mut part) {
            bytes += read as u64;
        }
        bytes
    });
    Ok((stream, reading))
}
