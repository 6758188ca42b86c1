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
/// The two parts of a round: first nothing fails (`CALM`), and then the disk is full (`FULL`).
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
        ensure!(
            failed > 0,
            "at least one call must fail while the disk is full, got no failed call"
        );
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

/// A small file system in memory. Dropping the value unmounts the file system.
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
            .context("the command mount could not be started")?;
        ensure!(
            mounted.status.success(),
            "the machine must allow mounting a small disk: {}",
            String::from_utf8_lossy(&mounted.stderr).trim()
        );
        Ok(Self(folder))
    }

    /// Writes a file that uses all free space of the disk, and returns the file's path.
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
        // If the unmounting fails, the file system stays until the machine starts again.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path())
            .status();
    }
}
