//! Tests how the store reports damage in its folder.

use std::{fs, os::unix::fs::FileExt, path::PathBuf};

use super::{crashes::copy_all, *};
use crate::clock::Reading;

#[tokio::test]
async fn a_second_process_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let _first = opened(folder.path());
    let second = open(folder.path(), 0, Arc::default());
    assert!(matches!(second, Err(Error::Locked)));
}

#[tokio::test]
async fn a_store_of_another_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    {
        let database = fjall::Database::builder(folder.path()).open().unwrap();
        let about = database
            .keyspace("about", fjall::KeyspaceCreateOptions::default)
            .unwrap();
        about.insert("format", 8_u32.to_be_bytes()).unwrap();
    }
    let error = open(folder.path(), 0, Arc::default()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the data directory has format 8, but this version of duet-proxy reads format 7; use the version that wrote the data directory"
    );
}

/// The readings of the clocks some minutes after the folder of [`format_4`] was written: 2026-11-29, 12:00 UTC. The keys in
/// the folder are remembered for 48 hours.
fn when_written() -> Reading {
    Reading {
        wall_ms: 1_795_953_600_000,
        boot_ms: 0,
    }
}

/// Unpacks a folder that was written by the last version with format 4. The folder has 30 pending page events, a pending
/// sale, a held event, and two dead letters.
fn format_4() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/format-4.tar.gz");
    let tar = std::process::Command::new("tar")
        .args(["-xzSf", archive, "-C"])
        .arg(folder.path())
        .status();
    assert!(tar.unwrap().success());
    folder
}

#[tokio::test]
async fn the_format_of_a_folder_is_read_without_a_change() {
    let new = tempfile::tempdir().unwrap();
    assert_eq!(format_of(new.path()).unwrap(), None);
    let (intake, outlet, letters) = opened(new.path());
    intake.close().await;
    drop((intake, outlet, letters));
    assert_eq!(format_of(new.path()).unwrap(), Some(FORMAT));
    let folder = format_4();
    for _ in 0..2 {
        assert_eq!(format_of(&folder.path().join("data")).unwrap(), Some(4));
    }
    assert!(reads(4) && reads(FORMAT) && !reads(FORMAT + 1));
    // Reading the format must not have changed the folder.
    assert_eq!(opened(&folder.path().join("data")).1.depth(), 31);
}

#[tokio::test]
async fn a_folder_of_the_format_before_opens_with_everything_in_it() {
    let folder = format_4();
    let data = folder.path().join("data");
    let opened = open_by(when_written, &data, 0, Arc::default());
    let (intake, mut outlet, letters) = opened.unwrap();
    assert_eq!(outlet.embedded().format(), Some(7));
    // The 30 page events and the sale of the paid order are pending.
    assert_eq!(outlet.depth(), 31);
    assert_eq!(letters.newest(10).unwrap().len(), 2);
    assert_eq!(intake.orders().payments().unwrap().len(), 2);
    let paid = intake.orders().find("FORMAT4PAID1").unwrap().unwrap();
    assert_eq!(paid.status(), crate::orders::Status::Paid);
    let held = intake.orders().find("FORMAT4HELD1").unwrap().unwrap();
    assert_eq!(held.summary().events_held, 1);
    let mut lane = outlet.leased().await;
    let waiting = ids(lane.claim_of(Class::Second, ANY).unwrap());
    assert_eq!((waiting.len(), waiting[0].as_str()), (31, "waits-0"));
    let again = EventId::parse("waits-7").unwrap();
    let name = EventName::parse("ViewContent").unwrap();
    let key = DedupKey::of(lane.destination(), &name, &again);
    let repeat = Entry {
        key,
        destination: Arc::clone(lane.destination()),
        ..entry("waits-7")
    };
    assert_eq!(
        intake.enqueue([repeat]).await.unwrap(),
        [Enqueued::Duplicate]
    );
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "not a folder").unwrap();
    let error = open(&file, 0, Arc::default()).err().unwrap();
    assert!(matches!(error, Error::Folder(_)), "{error:?}");
    assert_eq!(fs::read(&file).unwrap(), b"not a folder");
}

#[tokio::test]
async fn damage_in_the_midst_of_a_journal_is_an_error_that_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, _outlet, _letters) = opened(folder.path());
        for id in ["a", "b", "c"] {
            intake.enqueue(vec![entry(id)]).await.unwrap();
        }
    }
    until_closed(folder.path()).await;
    let journal = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "jnl"))
        .unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes
        .windows(14)
        .position(|window| window == br#""event_id":"b""#)
        .unwrap();
    bytes[at] = b'X';
    fs::write(&journal, &bytes).unwrap();

    let error = open(folder.path(), 0, Arc::default()).err().unwrap();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains(".jnl does not read back from byte"), "{said}");
    assert_eq!(fs::read(&journal).unwrap(), bytes);

    bytes[at] = b'"';
    fs::write(&journal, &bytes).unwrap();
    let (_intake, outlet, _letters) = opened(folder.path());
    assert_eq!(outlet.depth(), 3);
}

/// Waits until the folder's lock is free. The lock is released when the last thread that uses the store's files has ended.
async fn until_closed(folder: &Path) {
    drop(reopened(folder).await);
    let lock = fs::File::open(folder.join("lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

const EVENTS: [&str; 3] = ["a", "b", "c"];

/// Opens a store and stores three pending events, each in a separate commit.
async fn filled(folder: &Path) -> (Intake, Outlet, DeadLetters) {
    let opened = reopened(folder).await;
    for id in EVENTS {
        opened.0.enqueue(vec![entry(id)]).await.unwrap();
    }
    opened
}

/// Returns two folders with the same three events. A killed proxy has left the first folder, and a proxy that was stopped
/// has left the second.
async fn killed_and_stopped() -> [(&'static str, tempfile::TempDir); 2] {
    let killed = tempfile::tempdir().unwrap();
    let stopped = tempfile::tempdir().unwrap();
    let (intake, outlet, letters) = filled(stopped.path()).await;
    copy_all(stopped.path(), killed.path());
    intake.close().await;
    drop((intake, outlet, letters));
    until_free(stopped.path()).await;
    [("killed", killed), ("stopped", stopped)]
}

async fn until_free(folder: &Path) {
    let lock = fs::File::open(folder.join("lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

fn copied(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_all(folder, copy.path());
    copy
}

/// Starts the queue in this folder, and returns the error of the start. Panics if the start succeeds.
fn said(folder: &Path) -> String {
    let error = open(folder, 0, Arc::default()).err();
    error.expect("the start must fail").to_string()
}

fn flip(path: &Path, bit: usize) {
    let file = fs::File::options().read(true).write(true).open(path);
    let file = file.unwrap();
    let (at, mut byte) = (bit as u64 / 8, [0]);
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&byte, at).unwrap();
}

/// Returns the position of the first byte of the batch that contains this event.
fn start_of(journal: &[u8], id: &str) -> usize {
    let event = format!(r#""event_id":"{id}""#);
    let at = journal
        .windows(event.len())
        .position(|part| part == event.as_bytes());
    let end = journal[..at.unwrap()]
        .windows(4)
        .rposition(|part| part == b"FJL\x03");
    end.unwrap() + 4
}

#[tokio::test]
async fn a_changed_number_of_a_batch_is_an_error_that_names_the_byte() {
    for (how, folder) in killed_and_stopped().await {
        let copy = copied(folder.path());
        let journal = copy.path().join("0.jnl");
        let bytes = fs::read(&journal).unwrap();
        let start = start_of(&bytes, "b");
        let next = start_of(&bytes, "c");
        // Flip bits in the number of entries (4 bytes) and in the sequence number (8 bytes).
        for bit in 8..13 * 8 {
            flip(&journal, start * 8 + bit);
            let said = said(copy.path());
            flip(&journal, start * 8 + bit);
            let named =
                [start, next].map(|at| format!(" 0.jnl does not read back from byte {at} "));
            let is_named = named.iter().any(|named| said.contains(named));
            assert!(is_named, "{how}: bit {bit}: {said}");
        }
        assert_eq!(reopened(copy.path()).await.1.depth(), 3);
    }
}

#[tokio::test]
async fn the_number_of_the_first_batch_is_listed() {
    for (how, folder) in killed_and_stopped().await {
        for bit in 40..13 * 8 {
            let journal = folder.path().join("0.jnl");
            flip(&journal, bit);
            let said = said(folder.path());
            flip(&journal, bit);
            assert!(
                said.contains(" 0.jnl does not "),
                "{how}: bit {bit}: {said}"
            );
        }
    }
}

/// Returns the path of every file and folder below a folder.
fn all(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(all(&path));
        }
        found.push(path);
    }
    found
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 4] = [
    ("removed", remove),
    ("emptied", |path| {
        let was_folder = path.is_dir();
        remove(path);
        if was_folder {
            fs::create_dir(path).unwrap();
        } else {
            fs::write(path, "").unwrap();
        }
    }),
    ("all zeros", |path| {
        let length = if path.is_dir() {
            0
        } else {
            fs::metadata(path).unwrap().len()
        };
        remove(path);
        let file = fs::File::create(path).unwrap();
        file.set_len(length).unwrap();
    }),
    ("a folder", |path| {
        remove(path);
        fs::create_dir_all(path.join("x")).unwrap();
    }),
];

#[tokio::test]
async fn whatever_is_missing_is_named_or_is_not_missed() {
    let mut named = 0;
    for (how, folder) in killed_and_stopped().await {
        for path in all(folder.path()) {
            let name = path.strip_prefix(folder.path()).unwrap();
            for (damage, spoil) in DAMAGES {
                let about = format!("{how}: {} {damage}", name.display());
                let copy = copied(folder.path());
                spoil(&copy.path().join(name));
                match open(copy.path(), 0, Arc::default()) {
                    // Without the file `contents`, the folder looks like one of an older version, which had no such file.
                    Ok((_intake, outlet, _letters)) => assert_eq!(outlet.depth(), 3, "{about}"),
                    Err(error) => {
                        let said = error.to_string();
                        // Several keyspaces may miss their file `current`. The error names the keyspace that is read first.
                        let place = name.display().to_string();
                        let place = place.strip_suffix("current").unwrap_or(&place);
                        assert!(said.contains(place), "{about}: {said}");
                        named += 1;
                    }
                }
            }
        }
    }
    assert!(
        named > 60,
        "more than 60 errors must name the damaged file, but {named} do"
    );
}

#[tokio::test]
async fn a_folder_in_the_place_of_a_table_that_nothing_refers_to_is_named() {
    for (how, folder) in killed_and_stopped().await {
        for name in [
            "keyspaces/0/tables/99",
            "keyspaces/1/tables/99",
            "1.JNL",
            "01.jnl",
        ] {
            let copy = copied(folder.path());
            fs::create_dir(copy.path().join(name)).unwrap();
            let said = said(copy.path());
            assert!(said.contains(name), "{how}: {name}: {said}");
        }
    }
}

#[tokio::test]
async fn a_damaged_end_is_an_unfinished_write_only_after_a_crash() {
    for (how, folder) in killed_and_stopped().await {
        let journal = folder.path().join("0.jnl");
        let mut bytes = fs::read(&journal).unwrap();
        let start = start_of(&bytes, "c");
        bytes[start + 40] ^= 1;
        fs::write(&journal, bytes).unwrap();
        if how == "stopped" {
            let said = said(folder.path());
            let named = format!(" 0.jnl does not read back from byte {start} on");
            assert!(said.contains(&named), "{said}");
            // Follow the advice in the error message.
            let journal = fs::File::options().write(true).open(&journal).unwrap();
            journal.set_len(start as u64).unwrap();
            fs::remove_file(folder.path().join("contents")).unwrap();
        }
        assert_eq!(reopened(folder.path()).await.1.depth(), 2);
    }
}

#[tokio::test]
async fn a_journal_that_another_one_follows_ends_in_no_unfinished_write() {
    let [(_, folder), _] = killed_and_stopped().await;
    let journal = folder.path().join("0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    let start = start_of(&bytes, "c");
    let newer = bytes.split_off(start);
    fs::write(folder.path().join("1.jnl"), newer).unwrap();
    bytes.extend([1, 2, 3]);
    fs::write(&journal, &bytes).unwrap();
    let said = said(folder.path());
    let named = format!(" 0.jnl does not read back from byte {start} on");
    assert!(said.contains(&named), "{said}");
    bytes.truncate(start);
    fs::write(&journal, bytes).unwrap();
    // First the journal before the newest is missing. Then the newest journal is missing.
    let copy = copied(folder.path());
    let newest = copy.path().join("1.jnl");
    fs::rename(&newest, copy.path().join("2.jnl")).unwrap();
    assert!(self::said(copy.path()).contains(" 1.jnl "));
    fs::rename(copy.path().join("2.jnl"), &newest).unwrap();
    assert_eq!(reopened(copy.path()).await.1.depth(), 3);
    until_free(copy.path()).await;
    fs::remove_file(newest).unwrap();
    assert!(self::said(copy.path()).contains(" 1.jnl "));
    assert_eq!(reopened(folder.path()).await.1.depth(), 3);
}

#[tokio::test]
async fn a_folder_of_a_version_without_a_list_gets_one() {
    for (how, folder) in killed_and_stopped().await {
        let list = folder.path().join("contents");
        fs::remove_file(&list).unwrap();
        // A crash during the writing of the list can leave this unfinished file.
        fs::write(folder.path().join("contents.new"), "00").unwrap();
        assert_eq!(reopened(folder.path()).await.1.depth(), 3, "{how}");
        until_free(folder.path()).await;
        assert!(list.exists(), "{how}");
        fs::remove_file(folder.path().join("0.jnl")).unwrap();
        assert!(said(folder.path()).contains(" 0.jnl "), "{how}");
    }
}

#[tokio::test]
async fn a_crash_at_any_step_of_a_stores_creation_leaves_one_that_starts() {
    // The steps in which fjall creates a store: the file or folder that a step creates, and how many bytes of the file are
    // written.
    let made = tempfile::tempdir().unwrap();
    drop(fjall::Database::builder(made.path()).open().unwrap());
    let keyspace = Path::new("keyspaces/0");
    let steps: [(&Path, Option<u64>); 14] = [
        (Path::new("lock"), Some(0)),
        (Path::new("keyspaces"), None),
        (Path::new("0.jnl"), Some(0)),
        (Path::new("0.jnl"), Some(u64::MAX)),
        (Path::new("version"), Some(0)),
        (Path::new("version"), Some(3)),
        (Path::new("version"), Some(u64::MAX)),
        (keyspace, None),
        (&keyspace.join("tables"), None),
        (&keyspace.join("v0"), Some(0)),
        (&keyspace.join("v0"), Some(40)),
        (&keyspace.join("v0"), Some(u64::MAX)),
        (&keyspace.join(".tmp"), Some(0)),
        (&keyspace.join("current"), Some(u64::MAX)),
    ];
    for count in 0..=steps.len() {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in &steps[..count] {
            let (from, to) = (made.path().join(path), folder.path().join(path));
            let Some(bytes) = bytes else {
                fs::create_dir(to).unwrap();
                continue;
            };
            let mut whole = fs::read(&from).unwrap_or_default();
            whole.truncate(usize::try_from(*bytes).unwrap_or(usize::MAX));
            fs::write(&to, whole).unwrap();
        }
        let (intake, outlet, letters) = reopened(folder.path()).await;
        intake.enqueue(entries(EVENTS)).await.unwrap();
        drop((intake, outlet, letters));
        assert_eq!(reopened(folder.path()).await.1.depth(), 3, "step {count}");
    }
    for path in all(made.path()) {
        let path = path.strip_prefix(made.path()).unwrap();
        assert!(steps.iter().any(|(step, _)| *step == path), "{path:?}");
    }
}

#[tokio::test]
async fn large_tables_are_read_after_the_start_and_their_ends_before() {
    let [_, (_, folder)] = killed_and_stopped().await;
    let table = all(&folder.path().join("keyspaces/0/tables"));
    let table = table.first().unwrap();
    let whole = fs::read(table).unwrap();
    let check = |at_once| crate::store::embedded::manifest::check(folder.path(), None, at_once);
    assert!(check(u64::MAX).unwrap().is_empty());
    assert!(!check(0).unwrap().is_empty());

    let mut changed = whole.clone();
    changed[100] ^= 1;
    fs::write(table, &changed).unwrap();
    let unread = check(0).unwrap();
    let error = check(whole.len() as u64).err().unwrap().to_string();
    assert!(error.contains(" keyspaces/0/tables/"), "{error}");
    let found: Vec<_> = crate::store::embedded::manifest::damaged_of(&unread, || true).collect();
    assert_eq!(found, [table]);
    assert_eq!(
        crate::store::embedded::manifest::damaged_of(&unread, || false).count(),
        0
    );

    changed.pop();
    fs::write(table, &changed).unwrap();
    let error = check(0).err().unwrap().to_string();
    assert!(error.contains(" keyspaces/0/tables/"), "{error}");
}
