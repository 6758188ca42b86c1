//! A primary whose disk is full, under load.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{kills::wait, nodes::Nodes, report::Report, scene::Scene};

const SIZE_MIB: u32 = 512;
/// How long everything works before the disk is full, and how long it is full.
const CALM: Duration = Duration::from_secs(2);
const FULL: Duration = Duration::from_secs(10);

/// Fills the disk of the primary, and frees it later.
pub(super) fn full(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let disk = match Disk::mount() {
        Ok(disk) => disk,
        Err(error) => {
            report.note(
                "disk of the primary full",
                format!("not measured: {error:#}"),
            );
            return Ok(());
        }
    };
    let mut nodes = Nodes::start_in(disk.0.path())?;
    let mut scene = Scene::open(binary, nodes.ports())?;
    scene.load();
    for _ in 0..rounds {
        wait(CALM);
        let ballast = disk.fill()?;
        wait(FULL);
        let failed: u64 = scene.book.failures().iter().sum();
        ensure!(failed > 0, "a full disk must be noticed");
        fs::remove_file(ballast)?;
        let freed = Instant::now();
        // PostgreSQL ends if it cannot write its log.
        nodes.revive()?;
        scene.wait_until_all_accept()?;
        report.note(
            "disk of the primary full: freed until every proxy accepts",
            format!("{:.2} s", freed.elapsed().as_secs_f64()),
        );
    }
    scene.close("disk of the primary full", report)
}

/// A small file system in memory. Dropping it removes it.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={SIZE_MIB}m,mode=0755"),
                "tmpfs",
            ])
            .arg(folder.path())
            .output()
            .context("mount must start")?;
        ensure!(
            mounted.status.success(),
            "a small disk must be allowed: {}",
            String::from_utf8_lossy(&mounted.stderr).trim()
        );
        Ok(Self(folder))
    }

    /// Uses all that is left, and returns the file that does.
    fn fill(&self) -> Result<PathBuf> {
        let ballast = self.0.path().join("ballast");
        let zeros = vec![0; 1 << 20];
        let mut file = fs::File::create(&ballast)?;
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
        Ok(ballast)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A folder that is still in use stays until the machine starts again.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
    }
}
