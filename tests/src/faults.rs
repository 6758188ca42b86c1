//! A disk that fails on command and a clock that can be moved, for the real proxy while it runs.
//!
//! `tests/faults` is a library that the dynamic linker loads between the proxy and the C library. The library reads its
//! commands from a file that this module writes. The library works only on Linux. Build it with `cargo build -p
//! duet-faults`.
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use duet_tests::{Stack, faults::{Call, Data}};
//!
//! let mut stack = Stack::start_with_faults(&[]).await?;
//! let faults = stack.faults()?;
//! faults.fail_next(Call::Fdatasync, 1, Data::Kept)?; // the next commit fails, and its bytes can still be read
//! assert_eq!(faults.failed(Call::Fdatasync)?, 0); // the number of failed calls since the command
//! faults.fail_all(Call::Write, Data::Dropped)?; // from now on, until
//! faults.heal(Call::Write)?;
//! faults.set_clock(-3_600_000)?; // only the wall clock; `Instant` and `CLOCK_BOOTTIME` continue unchanged
//! stack.cut_power().await?; // ends the proxy, and all data without a sync is lost
//! stack.run_proxy().await?; // with the same clock offset
//! # Ok(())
//! # }
//! ```
//!
//! Calls fail only for files in the data directory. The clock can also be set before the first start, with
//! [`Stack::prepare_with_faults`](crate::Stack::prepare_with_faults).

use std::{fs::File, os::unix::fs::FileExt, path::PathBuf};

use anyhow::{Result, ensure};

use crate::stack::built;

#[path = "../faults/src/layout.rs"]
mod layout;

pub use layout::Call;

/// What a failing call does with its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// A write or a rename is still done. The data of a failed sync can be read as before, but no later sync writes it. A
    /// loss of power removes it.
    Kept,
    /// A write or a rename is not done. After a failed sync, the file no longer has the data that was not synced.
    Dropped,
}

/// How calls fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// How many of the next calls fail. `None` makes all calls fail from now on.
    pub times: Option<u64>,
    /// What a failing call does with its data.
    pub data: Data,
    /// A text that the path must contain. An empty text matches all paths.
    pub within: &'a str,
    /// The error that the calls return.
    pub error: DiskError,
}

/// The errors of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// `EIO`.
    Failed = 5,
    /// `ENOSPC`.
    Full = 28,
}

/// Controls the disk and the clock of a proxy.
#[derive(Debug)]
pub struct Faults {
    control: File,
    variables: Vec<(&'static str, PathBuf)>,
}

impl Faults {
    /// Makes a new control file for `folder`.
    pub fn new(control: PathBuf, folder: PathBuf) -> Result<Self> {
        let library = built("libduet_faults.so", "duet-faults")?;
        let file = File::create_new(&control)?;
        file.set_len(u64::try_from(layout::BYTES)?)?;
        Ok(Self {
            control: file,
            variables: vec![
                ("LD_PRELOAD", library),
                ("FAULTS_CONTROL", control),
                ("FAULTS_FOLDER", folder),
            ],
        })
    }

    /// Controls the disk of this process if the dynamic linker has loaded the library into it. Returns `None` if not.
    pub fn of_this_process() -> Result<Option<Self>> {
        let Some(control) = std::env::var_os("FAULTS_CONTROL") else {
            return Ok(None);
        };
        let control = File::options().read(true).write(true).open(control)?;
        Ok(Some(Self {
            control,
            variables: Vec::new(),
        }))
    }

    /// Returns the variables that load the library into a process.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.variables.iter().cloned()
    }

    /// Makes the next calls fail with the errors of a broken disk. `times` is the number of calls.
    pub fn fail_next(&self, call: Call, times: u64, data: Data) -> Result<()> {
        let fault = Fault {
            times: Some(times),
            data,
            ..Fault::default()
        };
        self.fail(call, fault)
    }

    /// Makes every call fail from now on.
    pub fn fail_all(&self, call: Call, data: Data) -> Result<()> {
        let fault = Fault {
            data,
            ..Fault::default()
        };
        self.fail(call, fault)
    }

    /// Makes calls fail as `fault` says. The new command replaces the earlier command for the same kind of call.
    pub fn fail(&self, call: Call, fault: Fault<'_>) -> Result<()> {
        let mut within = [0; layout::WITHIN_BYTES];
        ensure!(fault.within.len() < within.len(), "a long path");
        for (to, byte) in within.iter_mut().zip(fault.within.bytes()) {
            *to = byte;
        }
        // No call must fail before the command is completely written.
        self.heal(call)?;
        self.write(call.at() + layout::FAILED, 0)?;
        self.write(call.at() + layout::ERRNO, fault.error as u64)?;
        let dropped = u64::from(fault.data == Data::Dropped);
        self.write(call.at() + layout::DROPPED, dropped)?;
        let at = u64::try_from(call.at() + layout::WITHIN)?;
        self.control.write_all_at(&within, at)?;
        let left = fault.times.unwrap_or(layout::ALL);
        self.write(call.at() + layout::LEFT, left)
    }

    /// Ends the failures of a call.
    pub fn heal(&self, call: Call) -> Result<()> {
        self.write(call.at() + layout::LEFT, 0)
    }

    /// Returns the number of calls that failed since [`Faults::fail`].
    pub fn failed(&self, call: Call) -> Result<u64> {
        let mut number = [0; 8];
        let at = u64::try_from(call.at() + layout::FAILED)?;
        self.control.read_exact_at(&mut number, at)?;
        Ok(u64::from_ne_bytes(number))
    }

    /// Sets the offset of the wall clock from the real time.
    pub fn set_clock(&self, offset_ms: i64) -> Result<()> {
        self.write(layout::CLOCK_OFFSET_MS, offset_ms.cast_unsigned())
    }

    /// Ends the process at its next call to the library. A running proxy soon makes such a call.
    pub(crate) fn cut_power(&self) -> Result<()> {
        self.write(layout::POWER_CUT, 1)
    }

    fn write(&self, at: usize, number: u64) -> Result<()> {
        let at = u64::try_from(at)?;
        Ok(self.control.write_all_at(&number.to_ne_bytes(), at)?)
    }
}

impl Default for Fault<'_> {
    /// All calls fail with the errors of a broken disk, and their data is kept.
    fn default() -> Self {
        Self {
            times: None,
            data: Data::Kept,
            within: "",
            error: DiskError::Failed,
        }
    }
}
