//! Limits the CPU time of processes by a control group, version 1 or 2.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

const PERIOD_US: u32 = 10_000;

/// A control group. Dropping the value removes the group, and so the limit of the group's processes.
pub(super) struct Quota(PathBuf);

impl Quota {
    /// Makes a control group. Together, the group's processes may use at most `percent` percent of one core.
    pub(super) fn new(percent: u32) -> Result<Self> {
        let name = format!(
            "duet-bench-{}-{:08x}",
            std::process::id(),
            fastrand::u32(..)
        );
        let quota_us = PERIOD_US * percent / 100;
        let two = PathBuf::from("/sys/fs/cgroup");
        let controllers = fs::read_to_string(two.join("cgroup.controllers"));
        if controllers.is_ok_and(|all| all.split_whitespace().any(|one| one == "cpu")) {
            fs::write(two.join("cgroup.subtree_control"), "+cpu")?;
            let quota = Self::make(two.join(name))?;
            fs::write(quota.0.join("cpu.max"), format!("{quota_us} {PERIOD_US}"))?;
            return Ok(quota);
        }
        let quota = Self::make(two.join("cpu").join(name))?;
        fs::write(quota.0.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
        fs::write(quota.0.join("cpu.cfs_quota_us"), quota_us.to_string())?;
        Ok(quota)
    }

    fn make(folder: PathBuf) -> Result<Self> {
        fs::create_dir(&folder).context("the machine must allow a control group for CPU time")?;
        Ok(Self(folder))
    }

    /// Adds a process with all its threads.
    pub(super) fn add(&self, process: u32) -> Result<()> {
        fs::write(self.0.join("cgroup.procs"), process.to_string())?;
        Ok(())
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // A group can be removed only when it has no processes. A group that stays costs nothing.
        let processes = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        for process in processes.lines() {
            let _ = fs::write(self.0.with_file_name("cgroup.procs"), process);
        }
        let _ = fs::remove_dir(&self.0);
    }
}
