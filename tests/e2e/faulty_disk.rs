//! Tests the library that makes a disk fail and moves the clock. Other tests rely on this library.

use std::{fs, path::Path, process::Output};

use anyhow::Result;
use duet_tests::{
    Faults,
    faults::{Call, Data, DiskError, Fault},
};
use tempfile::TempDir;
use tokio::process::Command;

/// A folder whose files fail on command, and a second folder whose files never fail.
struct Disk {
    faults: Faults,
    place: TempDir,
}

impl Disk {
    fn new() -> Result<Self> {
        let place = tempfile::tempdir()?;
        fs::create_dir(place.path().join("data"))?;
        let faults = Faults::new(place.path().join("control"), place.path().join("data"))?;
        Ok(Self { faults, place })
    }

    async fn run(&self, program: &str, words: &[&str]) -> Result<Output> {
        let mut command = Command::new(program);
        command.args(words).envs(self.faults.variables());
        command.env("LC_ALL", "C").current_dir(self.place.path());
        Ok(command.output().await?)
    }

    /// Writes a file with `dd`. Returns the error message of `dd` if it fails.
    async fn write(&self, to: &str, how: &str) -> Result<Result<(), String>> {
        let (from, to, how) = (
            format!("if={}", self.path("new").display()),
            format!("of={}", self.path(to).display()),
            format!("conv={how}"),
        );
        let words = [&from, &to, &how, "status=none", "bs=10000"];
        let output = self.run("dd", &words).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(output.status.success().then_some(()).ok_or(said))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}

#[tokio::test]
async fn a_sync_fails_with_its_data_kept_or_dropped() -> Result<()> {
    let disk = Disk::new()?;
    let (old, new) = (vec![b'o'; 9000], vec![b'n'; 10_000]);
    fs::write(disk.path("new"), &new)?;
    for (call, how) in [(Call::Fsync, "fsync"), (Call::Fdatasync, "fdatasync")] {
        let how = format!("{how},notrunc");
        for (data, left) in [(Data::Kept, &new), (Data::Dropped, &old)] {
            fs::write(disk.path("data/file"), &old)?;
            disk.faults.fail_next(call, 1, data)?;
            let failed = disk.write("data/file", &how).await?.unwrap_err();
            assert!(failed.contains("Input/output error"), "{failed}");
            assert_eq!(disk.faults.failed(call)?, 1);
            assert!(disk.read("data/file") == *left, "{call:?} {data:?}");
        }
        assert_eq!(disk.write("data/file", &how).await?, Ok(()));
        assert!(disk.read("data/file") == new);
    }
    Ok(())
}

#[tokio::test]
async fn a_write_fails_where_it_is_ordered_and_for_as_long() -> Result<()> {
    let disk = Disk::new()?;
    fs::write(disk.path("new"), "new")?;
    let fault = Fault {
        data: Data::Dropped,
        within: ".jnl",
        error: DiskError::Full,
        ..Fault::default()
    };
    disk.faults.fail(Call::Write, fault)?;
    for _ in 0..2 {
        let failed = disk.write("data/0.jnl", "notrunc").await?.unwrap_err();
        assert!(failed.contains("No space left on device"), "{failed}");
    }
    assert_eq!(disk.read("data/0.jnl"), b"");
    for elsewhere in ["data/table", "0.jnl"] {
        assert_eq!(disk.write(elsewhere, "notrunc").await?, Ok(()));
    }
    disk.faults.heal(Call::Write)?;
    assert_eq!(disk.write("data/0.jnl", "notrunc").await?, Ok(()));
    assert_eq!(disk.faults.failed(Call::Write)?, 2);
    disk.faults.fail_next(Call::Write, 1, Data::Kept)?;
    assert!(disk.write("data/1.jnl", "notrunc").await?.is_err());
    assert_eq!(disk.read("data/1.jnl"), b"new");
    Ok(())
}

#[tokio::test]
async fn a_rename_fails_whoever_asks_for_it() -> Result<()> {
    let disk = Disk::new()?;
    let names = ["data/one", "data/other"];
    for (data, left) in [(Data::Dropped, "data/one"), (Data::Kept, "data/other")] {
        fs::write(disk.path("data/one"), "")?;
        disk.faults.fail_next(Call::Rename, 1, data)?;
        let names = names.map(|name| disk.path(name).display().to_string());
        let output = disk.run("mv", &[&names[0], &names[1]]).await?;
        assert!(!output.status.success());
        assert!(Path::new(&disk.path(left)).exists(), "{data:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_clock_stands_where_it_is_set() -> Result<()> {
    let disk = Disk::new()?;
    let mut seconds = Vec::new();
    for offset_ms in [-86_400_000, 0, 86_400_500] {
        disk.faults.set_clock(offset_ms)?;
        let said = disk.run("date", &["+%s"]).await?.stdout;
        seconds.push(String::from_utf8(said)?.trim().parse::<i64>()?);
    }
    // The difference is one day plus the real time between both readings.
    assert!(seconds[1] - seconds[0] >= 86_400, "{seconds:?}");
    assert!(seconds[2] - seconds[1] >= 86_400, "{seconds:?}");
    Ok(())
}
