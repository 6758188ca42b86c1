//! What the kernel says a process has used. From `/proc` and `/sys`, which are Linux's.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, Result};

/// The kernel counts CPU time in hundredths of a second, on every architecture.
const TICK_US: f64 = 10_000.0;

/// CPU time of a process so far, user and system, in microseconds.
pub(crate) fn cpu_us(process: u32) -> Result<f64> {
    Ok(ticks(&format!("/proc/{process}/stat"), &[UTIME, STIME])? * TICK_US)
}

/// CPU time of this process so far, in microseconds.
pub(crate) fn own_cpu_us() -> Result<f64> {
    Ok(ticks("/proc/self/stat", &[UTIME, STIME])? * TICK_US)
}

/// CPU time of this process's children that have ended, in microseconds.
pub(crate) fn ended_children_cpu_us() -> Result<f64> {
    Ok(ticks("/proc/self/stat", &[CUTIME, CSTIME])? * TICK_US)
}

/// CPU time of everything on this machine since it started, in microseconds.
pub(crate) fn machine_cpu_us() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("no /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let columns: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|n| n.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in user already.
    let idle: f64 = columns.iter().skip(3).take(2).sum();
    Ok((columns.iter().take(8).sum::<f64>() - idle) * TICK_US)
}

/// A line of `/proc/PID/status`, such as `VmRSS`, in KiB.
pub(crate) fn status_kib(process: u32, name: &str) -> Result<f64> {
    figure(&format!("/proc/{process}/status"), name)
}

/// How many bytes were written to the device that holds `folder`, by whomever. What a process has had written
/// (`write_bytes` in `/proc/PID/io`) is counted by whole folios, of which the device gets only the blocks that changed.
pub(crate) fn device_written_bytes(folder: &Path) -> Result<f64> {
    let device = fs::metadata(folder)?.dev();
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xfff00);
    let file = format!("/sys/dev/block/{major}:{minor}/stat");
    let text = fs::read_to_string(&file).with_context(|| format!("no {file}"))?;
    let sectors = text.split_whitespace().nth(6);
    let sectors: f64 = sectors
        .and_then(|sectors| sectors.parse().ok())
        .with_context(|| format!("{file} is too short"))?;
    Ok(sectors * 512.0)
}

// Places in /proc/PID/stat, counted from the field behind the program's name.
const UTIME: usize = 11;
const STIME: usize = 12;
const CUTIME: usize = 13;
const CSTIME: usize = 14;

fn ticks(file: &str, places: &[usize]) -> Result<f64> {
    let text = fs::read_to_string(file).with_context(|| format!("no {file}"))?;
    let (_, fields) = text.rsplit_once(')').context("no name in /proc's stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let mut sum = 0.0;
    for place in places {
        sum += fields
            .get(*place)
            .and_then(|field| field.parse::<f64>().ok())
            .with_context(|| format!("{file} is too short"))?;
    }
    Ok(sum)
}

fn figure(file: &str, name: &str) -> Result<f64> {
    let text = fs::read_to_string(file).with_context(|| format!("no {file}"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("no {name} in {file}"))
}
