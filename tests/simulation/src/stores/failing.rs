//! Compares both stores on a disk whose syncs fail. After the store is opened again, all data whose call was answered must
//! be there. Both stores must have kept the same part of a failed commit.
//!
//! Failing writes are not compared. After such a failure, fjall closes its journal and either writes the rest or loses it,
//! depending on how much was written before. Both results are correct.
//!
//! The embedded store writes to real files. A library makes the calls on these files fail. The library is loaded when a
//! process starts, so the test runs itself as a second process.

use std::{
    cell::{Cell, RefCell},
    env, fs,
    process::Command,
};

use anyhow::{Context, Result, anyhow, ensure};
use duet_tests::faults::{Call, Data, Fault as Order, Faults};
use proptest::test_runner::{TestCaseError, TestRunner};

use super::{Act, Embedded, Harm, Queue, Strike, act, queue::replies_on};
use crate::store::{Disk, Fault};
use proptest::prelude::*;

/// The name of this test, with which the test runs itself.
const NAME: &str = "stores::failing::both_stores_agree_on_a_disk_that_fails";
/// The number of cases. Each case opens the embedded store dozens of times, so it is small.
const CASES: u32 = 48;

impl Harm {
    /// Returns which call fails, and what happens to its data.
    fn of_files(self) -> (Call, Data) {
        match self {
            Self::SyncKeeps => (Call::Fdatasync, Data::Kept),
            Self::SyncLoses => (Call::Fdatasync, Data::Dropped),
        }
    }

    fn of_simulated(self) -> Fault {
        match self {
            Self::SyncKeeps => Fault::SyncKeeps,
            Self::SyncLoses => Fault::SyncLoses,
        }
    }
}

fn harm() -> impl Strategy<Value = Option<Harm>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(Harm::SyncKeeps)),
        1 => Just(Some(Harm::SyncLoses)),
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
    ensure!(
        failed.get() > u64::from(CASES),
        "more than {CASES} calls must have failed, got {}",
        failed.get()
    );
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
    let name = folder.path().file_name().context("no name")?;
    let files = Files {
        faults,
        journal: format!("{}/data/", name.to_string_lossy()),
        struck: RefCell::default(),
    };
    let mut embedded = Queue::over(Embedded::at(&folder.path().join("data"))?);
    let wanted = harms.iter().copied().cycle();
    let of_embedded = replies_on(&mut embedded, acts, sizes, wanted, &files);
    // A commit that writes nothing cannot fail. For these commits, the simulated disk must not fail either.
    let harms = files.struck.into_inner();
    let struck = harms.iter().flatten().count();
    failed.set(failed.get() + u64::try_from(struck)?);
    let disk = Disk::default();
    let mut simulated = Queue::over(disk.clone());
    let of_simulated = replies_on(&mut simulated, acts, sizes, harms.into_iter(), &disk);
    ensure!(
        of_embedded == of_simulated,
        "{of_embedded:#?}\n{of_simulated:#?}"
    );
    let (embedded, simulated) = (embedded.sight()?, simulated.sight()?);
    ensure!(embedded == simulated, "{embedded}\n\n{simulated}");
    Ok(())
}

/// The files of one embedded store.
struct Files<'a> {
    faults: &'a Faults,
    /// A part of the paths of this store's journals. No other store has this part in its paths.
    journal: String,
    /// What failed during each commit.
    struck: RefCell<Vec<Option<Harm>>>,
}

impl Strike for Files<'_> {
    fn strike(&self, harm: Option<Harm>) {
        self.struck.borrow_mut().push(harm);
        if let Some((call, data)) = harm.map(Harm::of_files) {
            let order = Order {
                times: Some(1),
                within: &self.journal,
                data,
                ..Order::default()
            };
            self.faults.fail(call, order).unwrap();
        }
    }

    fn heal(&self) {
        let mut struck = self.struck.borrow_mut();
        let Some(last) = struck.last_mut() else {
            return;
        };
        if let Some((call, _)) = last.map(Harm::of_files) {
            if self.faults.failed(call).unwrap() == 0 {
                *last = None;
            }
            self.faults.heal(call).unwrap();
        }
    }
}

impl Strike for Disk {
    fn strike(&self, harm: Option<Harm>) {
        if let Some(harm) = harm {
            self.fails_with(&[harm.of_simulated()]);
        }
    }

    fn heal(&self) {
        self.heals();
    }
}
