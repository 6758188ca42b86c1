//! Both stores on a disk whose writes and syncs fail: what was answered is there after the store is opened again, and
//! of a commit that failed both have the same.
//!
//! The embedded store writes to real files. The library that makes their calls fail is loaded when a process starts, so
//! the test runs itself as a second process.

use std::{cell::Cell, env, fs, process::Command};

use anyhow::{Context, Result, anyhow, ensure};
use duet_tests::faults::{Call, Data, Fault as Order, Faults};
use proptest::test_runner::{TestCaseError, TestRunner};

use super::{Act, Embedded, Harm, Queue, act, replies_on};
use crate::store::{Disk, Fault};
use proptest::prelude::*;

/// How this test is called.
const NAME: &str = "stores::failing::both_stores_agree_on_a_disk_that_fails";
/// Each opens the embedded store dozens of times.
const CASES: u32 = 48;

impl Harm {
    /// The call that fails, and what becomes of its data.
    fn of_files(self) -> (Call, Data) {
        match self {
            Self::SyncKeeps => (Call::Fdatasync, Data::Kept),
            Self::SyncLoses => (Call::Fdatasync, Data::Dropped),
            Self::WriteFails => (Call::Write, Data::Dropped),
        }
    }

    fn of_simulated(self) -> Fault {
        match self {
            Self::SyncKeeps | Self::WriteFails => Fault::SyncKeeps,
            Self::SyncLoses => Fault::SyncLoses,
        }
    }
}

fn harm() -> impl Strategy<Value = Option<Harm>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(Harm::SyncKeeps)),
        1 => Just(Some(Harm::SyncLoses)),
        1 => Just(Some(Harm::WriteFails)),
    ]
}

#[test]
fn both_stores_agree_on_a_disk_that_fails() -> Result<()> {
    if let Some(faults) = Faults::of_this_process()? {
        return agree(&faults);
    }
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let faults = Faults::new(folder.path().join("control"), data)?;
    let run = Command::new(env::current_exe()?)
        .args([NAME, "--exact"])
        .envs(faults.variables())
        .output()?;
    let told = String::from_utf8_lossy(&run.stdout);
    ensure!(run.status.success(), "{told}");
    Ok(())
}

fn agree(faults: &Faults) -> Result<()> {
    let config = ProptestConfig {
        cases: CASES,
        max_shrink_iters: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let sizes = prop::collection::vec(1_usize..6, 1..6);
    let calls = (
        prop::collection::vec(act(), 1..40),
        sizes,
        prop::collection::vec(harm(), 1..12),
    );
    let failed = Cell::new(0);
    let checked = TestRunner::new(config).run(&calls, |(acts, sizes, harms)| {
        compare(faults, &acts, &sizes, &harms, &failed)
            .map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    checked.map_err(|error| anyhow!("{error}"))?;
    ensure!(failed.get() > u64::from(CASES), "few calls have failed");
    Ok(())
}

fn compare(
    faults: &Faults,
    acts: &[Act],
    sizes: &[usize],
    harms: &[Option<Harm>],
    failed: &Cell<u64>,
) -> Result<()> {
    let folder = tempfile::tempdir_in(env::var_os("FAULTS_FOLDER").context("no folder")?)?;
    let mut embedded = Queue::over(Embedded::at(&folder.path().join("data"))?);
    let of_embedded = replies_on(&mut embedded, acts, sizes, harms, &|harm| {
        let order = Order {
            times: Some(u64::from(harm.is_some())),
            within: ".jnl",
            ..Order::default()
        };
        match harm.map(Harm::of_files) {
            Some((call, data)) => faults.fail(call, Order { data, ..order }).unwrap(),
            None => {
                for call in [Call::Write, Call::Fdatasync] {
                    failed.set(failed.get() + faults.failed(call).unwrap());
                    faults.fail(call, order).unwrap();
                }
            }
        }
    });
    let disk = Disk::default();
    let mut simulated = Queue::over(disk.clone());
    let of_simulated = replies_on(&mut simulated, acts, sizes, harms, &|harm| match harm {
        Some(harm) => disk.fails_with(&[harm.of_simulated()]),
        None => disk.heals(),
    });
    ensure!(
        of_embedded == of_simulated,
        "{of_embedded:#?}\n{of_simulated:#?}"
    );
    let (embedded, simulated) = (embedded.sight()?, simulated.sight()?);
    ensure!(embedded == simulated, "{embedded}\n\n{simulated}");
    Ok(())
}
