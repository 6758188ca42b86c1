//! Simulates an hour in which TikTok is unreachable while 200 events per second arrive. The benchmark needs fewer minutes:
//! it posts the same 720,000 events as fast as the proxy accepts them. After that, TikTok works again.

use std::{path::Path, time::Instant};

use anyhow::Result;

use crate::{
    deliver::drain,
    figures::{count, grouped},
    fill,
    proxy::Proxy,
    references,
    server::Server,
    sink::{self, Mode},
    usage,
};

const EVENTS: u64 = 200 * 60 * 60;
/// The hour is measured in six parts of equal size.
const PARTS: u64 = 6;
const FIRST_SECONDS: usize = 5;

/// Runs the hour with the fastest delivery and, if `long`, also with the default settings.
pub(crate) async fn measure(binary: &Path, long: bool) -> Result<()> {
    println!(
        "outage: {} events, an hour at 200 a second, time-compressed",
        grouped(count(EVENTS))
    );
    let sink = references::sink()?;
    let proxy = Proxy::new(binary)?.delivering_to(sink.address);
    println!("  no send limit, 4 requests at once, 1000 events a request");
    hour(&proxy, &sink).await?;
    if long {
        println!("  delivery's default settings");
        hour(&proxy.with_default_delivery(), &sink).await?;
    }
    Ok(())
}

async fn hour(proxy: &Proxy, sink: &Server) -> Result<()> {
    sink::behave(sink, Mode::Down)?;
    let folder = proxy.folder()?;
    let server = proxy.start(folder.path())?;
    println!("    before the outage  {}", memory(&server)?);
    let started = Instant::now();
    for part in 0..PARTS {
        let (from, to) = (EVENTS * part / PARTS, EVENTS * (part + 1) / PARTS);
        fill::fill(server.address, from..to).await?;
        println!(
            "    after {:>2} minutes   {}",
            (part + 1) * 10,
            memory(&server)?
        );
    }
    let took_s = started.elapsed().as_secs_f64();
    let down = sink::count(sink)?;
    println!(
        "    which took {took_s:.1} s; requests while TikTok was down: {}, in the worst second {}",
        down.requests,
        down.by_second.iter().max().copied().unwrap_or_default()
    );
    let drained = drain(&server, sink, EVENTS).await?;
    let up = sink::count(sink)?;
    println!("    all delivered      {}", memory(&server)?);
    println!(
        "    first event after {:.2} s, all {} events {:.2} s later: {} events/s, {:.2} us of CPU each",
        drained.until_first_s,
        grouped(count(up.events)),
        drained.took_s,
        grouped(drained.rate),
        drained.cpu_us
    );
    // Leave out the seconds before the first request. In these seconds, the proxy still waited for its next attempt.
    let busy = up.by_second.iter().skip_while(|requests| **requests == 0);
    let first: Vec<_> = busy.take(FIRST_SECONDS).collect();
    println!("    requests in the first seconds of delivery: {first:?}");
    Ok(())
}

fn memory(server: &Server) -> Result<String> {
    let now = server.resident_mib()?;
    let anonymous = usage::status_kib(server.id(), "RssAnon")? / 1024.0;
    let peak = usage::status_kib(server.id(), "VmHWM")? / 1024.0;
    Ok(format!(
        "RSS {now:>6.1} MiB, anonymous {anonymous:>6.1}, peak so far {peak:>6.1}"
    ))
}
