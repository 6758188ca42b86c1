//! A disk that fails on command and a clock that is moved, for the real proxy while it runs.
//!
//! `tests/faults` is a library that the dynamic linker puts between the proxy and the C library. It obeys a file, which
//! this module writes. Linux only; build it with `cargo build -p duet-faults`.
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use duet_tests::{Stack, faults::{Call, Data}};
//!
//! let mut stack = Stack::start_with_faults(&[]).await?;
//! let faults = stack.faults()?;
//! faults.fail_next(Call::Fdatasync, 1, Data::Kept)?; // the next commit fails, and its bytes are still read
//! assert_eq!(faults.failed(Call::Fdatasync)?, 0); // how many have failed since it was ordered
//! faults.fail_all(Call::Write, Data::Dropped)?; // from now on, until
//! faults.heal(Call::Write)?;
//! faults.set_clock(-3_600_000)?; // the wall clock only; `Instant` and `CLOCK_BOOTTIME` go on as they are
//! stack.cut_power().await?; // ends the proxy, and what no sync has written is gone
//! stack.run_proxy().await?; // with the clock where it was set
//! # Ok(())
//! # }
//! ```
//!
//! Calls fail only on what lies in the data directory. The clock can be set before the first start too, on a
//! [`Stack::prepare_with_faults`](crate::Stack::prepare_with_faults).

use std::{fs::File, os::unix::fs::FileExt, path::PathBuf};

use anyhow::{Result, ensure};

use crate::stack::built;

#[path = "../faults/src/layout.rs"]
mod layout;

pub use layout::Call;

/// What becomes of the data of a call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// A write or a rename happens all the same. What a sync should have written is read as before, and no later sync
    /// writes it: a loss of power takes it.
    Kept,
    /// A write or a rename does not happen. What a sync should have written is gone from the file.
    Dropped,
}

/// How calls fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// How many; `None` for all from now on.
    pub times: Option<u64>,
    /// What becomes of the data.
    pub data: Data,
    /// Only on paths that contain this; on all where it is empty.
    pub within: &'a str,
    /// Which error they return.
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

/// Commands the disk and the clock of a proxy.
#[derive(Debug)]
pub struct Faults {
    control: File,
    variables: Vec<(&'static str, PathBuf)>,
}

impl Faults {
    /// A new control file, for what happens in `folder`.
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

    /// What loads the library into a process.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.variables.iter().cloned()
    }

    /// Has the next `times` calls fail as a broken disk makes them fail.
    pub fn fail_next(&self, call: Call, times: u64, data: Data) -> Result<()> {
        let fault = Fault {
            times: Some(times),
            data,
            ..Fault::default()
        };
        self.fail(call, fault)
    }

    /// Has every call fail from now on.
    pub fn fail_all(&self, call: Call, data: Data) -> Result<()> {
        let fault = Fault {
            data,
            ..Fault::default()
        };
        self.fail(call, fault)
    }

    /// Has calls fail; this replaces what was ordered for the call before.
    pub fn fail(&self, call: Call, fault: Fault<'_>) -> Result<()> {
        let mut within = [0; layout::WITHIN_BYTES];
        ensure!(fault.within.len() < within.len(), "a long path");
        for (to, byte) in within.iter_mut().zip(fault.within.bytes()) {
            *to = byte;
        }
        // None fails while the rest is written.
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

    /// Has no call fail any more.
    pub fn heal(&self, call: Call) -> Result<()> {
        self.write(call.at() + layout::LEFT, 0)
    }

    /// How many calls have failed since [`Faults::fail`].
    pub fn failed(&self, call: Call) -> Result<u64> {
        let mut number = [0; 8];
        let at = u64::try_from(call.at() + layout::FAILED)?;
        self.control.read_exact_at(&mut number, at)?;
        Ok(u64::from_ne_bytes(number))
    }

    /// Moves the wall clock by so many milliseconds from where it really is.
    pub fn set_clock(&self, offset_ms: i64) -> Result<()> {
        self.write(layout::CLOCK_OFFSET_MS, offset_ms.cast_unsigned())
    }

    /// The process ends with the next thing it does; it always does something soon.
    pub(crate) fn cut_power(&self) -> Result<()> {
        self.write(layout::POWER_CUT, 1)
    }

    fn write(&self, at: usize, number: u64) -> Result<()> {
        let at = u64::try_from(at)?;
        Ok(self.control.write_all_at(&number.to_ne_bytes(), at)?)
    }
}

impl Default for Fault<'_> {
    /// All fail as a broken disk makes them fail, and nothing of their data is lost.
    fn default() -> Self {
        Self {
            times: None,
            data: Data::Kept,
            within: "",
            error: DiskError::Failed,
        }
    }
}
