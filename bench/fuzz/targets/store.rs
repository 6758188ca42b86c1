//! Fuzzes the store's files. After any damage, the store must open or report the reason why it cannot open. The store must
//! not panic, hang, or ask for more memory than there is.
//!
//! fjall checks some of its own files with assertions. A panic of such an assertion cannot be caught, so the proxy ends
//! with fjall's message before it accepts an event. `cargo xtask bench fuzz` separates the inputs that fail such an
//! assertion from the inputs that break Duet.
#![no_main]

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use duet_events::{EventId, EventName};
use duet_proxy::{
    decide::{Class, DedupKey, Destination, Remember},
    history::Trace,
    outcome::Outcome,
    queue::{self, Entry, Error, Lane, Limits, Outlet},
    tiktok::Verdict,
};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime;

/// A damage to one file. `file` is the position of the file in the list of the store's files, which is sorted by name. After
/// the last file, the positions begin again with the first.
#[derive(Arbitrary, Debug)]
struct Damage {
    file: u8,
    at: u32,
    what: What,
}

#[derive(Arbitrary, Debug)]
enum What {
    Overwrite([u8; 8]),
    Flip(u8),
    Truncate,
    Append(Vec<u8>),
    Remove,
}

/// A store with waiting events, dead letters and remembered keys, written by several processes.
static SOUND: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    for life in 0..3 {
        on_this_thread(live(folder.path(), life)).expect("a sound store");
    }
    folder
});

fuzz_target!(|damages: Vec<Damage>| {
    let folder = tempfile::tempdir().expect("a folder");
    copy(SOUND.path(), folder.path());
    let files = files(folder.path());
    for damage in &damages {
        // A file that an earlier damage removed cannot be damaged again.
        let _ = inflict(damage, &files);
    }
    // An error is an accepted result.
    let _ = on_this_thread(live(folder.path(), 9));
});

fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// Opens the store and uses it as a proxy does.
async fn live(folder: &Path, life: u64) -> Result<(), Error> {
    let (intake, mut outlet, letters) = opened(folder).await?;
    for group in 0_u64..4 {
        let numbers = group * 16..(group + 1) * 16;
        let events: Vec<_> = numbers
            .map(|number| (number, event(&format!("fuzz-{life}-{number}"))))
            .collect();
        let entries = events.iter().map(|(number, event)| entry(*number, event));
        intake.enqueue(entries).await?;
    }
    while let Some(mut lane) = next(&mut outlet).await {
        settle_some(&mut lane).await?;
        lane.rewind();
        while lane
            .claim(
                Class::Second,
                Limits {
                    events: 50,
                    bytes: 20_000,
                },
            )?
            .is_some()
        {}
    }
    letters.newest(100)?;
    Ok(())
}

/// Opens the store. The writer of an earlier life releases the folder a moment after the writer's last handle is dropped.
async fn opened(folder: &Path) -> Result<(queue::Intake, Outlet, queue::DeadLetters), Error> {
    loop {
        match queue::open(folder, 0, Arc::default()) {
            Err(Error::Locked) => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

/// Returns the lane of the next destination, or nothing if there is no further destination.
async fn next(outlet: &mut Outlet) -> Option<Lane> {
    tokio::select! {
        biased;
        lane = outlet.lane() => Some(lane),
        () = std::future::ready(()) => None,
    }
}

async fn settle_some(lane: &mut Lane) -> Result<(), Error> {
    let taken = Verdict {
        code: 0,
        message: "OK".to_owned(),
        request_id: None,
    };
    for outcome in [Outcome::Delivered(taken), Outcome::Expired] {
        if let Some(batch) = lane.claim(
            Class::Second,
            Limits {
                events: 5,
                bytes: 20_000,
            },
        )? {
            lane.settle(&batch.events, &outcome, 1_767_323_045_000)
                .await?;
        }
    }
    Ok(())
}

fn event(id: &str) -> Value {
    json!({"event": "Lead", "event_id": id})
}

fn entry<'a>(number: u64, event: &'a Value) -> Entry<'a, Value> {
    let destination = Arc::new(Destination {
        pixel_id: "CDUETBENCH0000000001".to_owned(),
        test_event_code: number.is_multiple_of(7).then(|| "TEST1".to_owned()),
    });
    let name = EventName::parse("Lead").expect("a name");
    let id = event["event_id"]
        .as_str()
        .and_then(|id| EventId::parse(id).ok());
    Entry {
        key: DedupKey::of(&destination, &name, &id.expect("an id")),
        remember: Remember::Hours48,
        destination,
        class: Class::Second,
        trace: Trace::default(),
        note: None,
        event,
    }
}

fn inflict(damage: &Damage, files: &[PathBuf]) -> std::io::Result<()> {
    let Some(path) = files.get(usize::from(damage.file) % files.len().max(1)) else {
        return Ok(());
    };
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let at = u64::from(damage.at) % (length + 1);
    match &damage.what {
        What::Overwrite(bytes) => {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(bytes)
        }
        What::Flip(mask) => {
            let mut bytes = fs::read(path)?;
            if let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
                *byte ^= mask;
            }
            fs::write(path, bytes)
        }
        What::Truncate => file.set_len(at),
        What::Append(bytes) => {
            file.seek(SeekFrom::End(0))?;
            file.write_all(bytes)
        }
        What::Remove => fs::remove_file(path),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let copied = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).expect("a copy");
        }
    }
}

/// Returns all files below `folder`, sorted by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    paths.into_iter().flat_map(below).collect()
}
