//! Reads the resource use of a process from the kernel, in `/proc` and `/sys` of Linux.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, Result};

/// The kernel counts CPU time in hundredths of a second, on every architecture.
const TICK_US: f64 = 10_000.0;

/// Returns the CPU time of a process until now, user and system, in microseconds.
pub(crate) fn cpu_us(process: u32) -> Result<f64> {
    Ok(ticks(&format!("/proc/{process}/stat"), &[UTIME, STIME])? * TICK_US)
}

/// Returns the CPU time of this process until now, in microseconds.
pub(crate) fn own_cpu_us() -> Result<f64> {
    Ok(ticks("/proc/self/stat", &[UTIME, STIME])? * TICK_US)
}

/// Returns the CPU time of all ended children of this process, in microseconds.
pub(crate) fn ended_children_cpu_us() -> Result<f64> {
    Ok(ticks("/proc/self/stat", &[CUTIME, CSTIME])? * TICK_US)
}

/// Returns the CPU time of the whole machine since its start, in microseconds.
pub(crate) fn machine_cpu_us() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat must be readable")?;
    let line = text.lines().next().unwrap_or_default();
    let columns: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|n| n.parse().ok())
        .collect();
    // Columns: user, nice, system, idle, iowait, irq, softirq, steal. The columns after these are already part of user.
    let idle: f64 = columns.iter().skip(3).take(2).sum();
    Ok((columns.iter().take(8).sum::<f64>() - idle) * TICK_US)
}

/// Returns a line of `/proc/PID/status`, such as `VmRSS`, in KiB.
pub(crate) fn status_kib(process: u32, name: &str) -> Result<f64> {
    figure(&format!("/proc/{process}/status"), name)
}

/// Returns the number of bytes that all processes together wrote to the device of `folder`. The kernel's count for one
/// process (`write_bytes` in `/proc/PID/io`) is no use here: it counts whole folios, but only the changed blocks are
/// written to the device.
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

// Positions in /proc/PID/stat, counted from the field after the program's name.
const UTIME: usize = 11;
const STIME: usize = 12;
const CUTIME: usize = 13;
const CSTIME: usize = 14;

fn ticks(file: &str, places: &[usize]) -> Result<f64> {
    let text = fs::read_to_string(file).with_context(|| format!("{file} must be readable"))?;
    let (_, fields) = text
        .rsplit_once(')')
        .context("stat in /proc must have the program's name in brackets")?;
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
