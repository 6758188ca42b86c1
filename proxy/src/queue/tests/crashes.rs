//! Compares the queue with a simple model of the queue, with a power failure after every write. For each failure, the test
//! copies the files on disk, removes random parts of the last write from the copy, and opens the copy.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use proptest::prelude::*;

use super::*;

/// What the test does with the queue.
#[derive(Clone, Debug)]
enum Act {
    /// Enqueue these ids in one call.
    Enqueue(Vec<u8>),
    /// Claims this many events. Settles those events whose bit is set.
    Settle {
        most: usize,
        bits: u8,
        refused: bool,
    },
    /// Replay the newest dead letter.
    Replay,
}

/// What the queue must contain: the ids of the pending events, of all accepted events, and of the dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    waiting: BTreeSet<String>,
    seen: BTreeSet<String>,
    dead: BTreeSet<String>,
}

/// Returns an entry with this id. The entries of every third id are first class.
fn of_a_class(id: &str) -> Entry<'static, serde_json::Value> {
    let number: u8 = id.trim_start_matches('e').parse().unwrap();
    let class = if number.is_multiple_of(3) {
        Class::First
    } else {
        Class::Second
    };
    Entry { class, ..entry(id) }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => prop::collection::vec(0_u8..40, 1..6).prop_map(Act::Enqueue),
        2 => (1_usize..6, any::<u8>(), any::<bool>())
            .prop_map(|(most, bits, refused)| Act::Settle { most, bits, refused }),
        1 => Just(Act::Replay),
    ]
}

/// Generates which sectors of the last write reached the disk: all sectors before some sector, or any sectors.
pub(super) fn lost() -> impl Strategy<Value = u64> {
    prop_oneof![(0..64_u32).prop_map(|kept| (1 << kept) - 1), any::<u64>()]
}

impl Model {
    async fn apply(&mut self, act: &Act, queue: &mut Queue) {
        match act {
            Act::Enqueue(ids) => {
                let ids: Vec<_> = ids.iter().map(|id| format!("e{id}")).collect();
                let entries: Vec<_> = ids.iter().map(|id| of_a_class(id)).collect();
                let results = queue.intake.enqueue(entries).await.unwrap();
                for (id, result) in ids.into_iter().zip(results) {
                    let is_new = self.seen.insert(id.clone());
                    assert_eq!(result == Enqueued::Accepted, is_new, "{id}");
                    if is_new {
                        self.waiting.insert(id);
                    }
                }
            }
            Act::Settle {
                most: events,
                bits,
                refused,
            } => {
                let Some(lane) = queue.lane().await else {
                    return;
                };
                let claimed = lane.claim_next(most(*events)).unwrap();
                let chosen: Vec<_> = claimed
                    .into_iter()
                    .flat_map(|batch| batch.events)
                    .enumerate()
                    .filter(|(at, _)| bits >> at & 1 == 1)
                    .map(|(_, claimed)| claimed)
                    .collect();
                let outcome = if *refused {
                    Outcome::Expired
                } else {
                    delivered()
                };
                if !chosen.is_empty() {
                    lane.settle(&chosen, &outcome, 2).await.unwrap();
                }
                lane.rewind();
                for id in chosen.iter().map(id_of) {
                    assert!(self.waiting.remove(&id), "{id} must be claimed only once");
                    if *refused {
                        self.dead.insert(id);
                    }
                }
            }
            Act::Replay => {
                let newest = queue.letters.newest(1).unwrap();
                for (id, letter) in newest {
                    assert_eq!(queue.letters.replay(&[id]).await.unwrap(), 1);
                    let id = Named::of(letter.event.get()).event_id.into_owned();
                    self.dead.remove(&id);
                    self.waiting.insert(id);
                }
            }
        }
    }
}

struct Queue {
    intake: Intake,
    outlet: Outlet,
    letters: DeadLetters,
    lane: Option<Lane>,
}

impl Queue {
    async fn open(folder: &Path) -> Self {
        let (intake, outlet, letters) = reopened(folder).await;
        Self {
            intake,
            outlet,
            letters,
            lane: None,
        }
    }

    /// Returns the queue's only lane. Returns `None` as long as no event has arrived.
    async fn lane(&mut self) -> Option<&mut Lane> {
        if self.lane.is_none() && self.intake.depth() > 0 {
            self.lane = Some(self.outlet.leased().await);
        }
        self.lane.as_mut()
    }

    /// Returns what the queue contains. To find the ids that the queue remembers, the test enqueues every possible event:
    /// the queue does not accept an event whose id it remembers.
    async fn contents(&mut self) -> Model {
        let depth = self.intake.depth();
        let waiting: BTreeSet<_> = match self.lane().await {
            Some(lane) => [ANY; 2]
                .into_iter()
                .flat_map(|any| ids(lane.claim_next(any).unwrap()))
                .collect(),
            None => BTreeSet::new(),
        };
        assert_eq!(usize::try_from(depth).unwrap(), waiting.len());
        let letters = self.letters.newest(1000).unwrap();
        let dead = letters
            .iter()
            .map(|(_, letter)| Named::of(letter.event.get()).event_id.into_owned());
        let dead = dead.collect();
        let all: Vec<_> = (0..40).map(|id| format!("e{id}")).collect();
        let entries: Vec<_> = all.iter().map(|id| entry(id)).collect();
        let results = self.intake.enqueue(entries).await.unwrap();
        let seen = all.into_iter().zip(results);
        let seen = seen.filter(|(_, result)| *result == Enqueued::Duplicate);
        Model {
            waiting,
            dead,
            seen: seen.map(|(id, _)| id).collect(),
        }
    }
}

pub(super) fn journals(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "jnl"))
        .collect()
}

/// Returns the number of written bytes in a journal. The file is preallocated, and the bytes after the written ones are zeros.
pub(super) fn written(journal: &Path) -> u64 {
    let mut bytes = Vec::new();
    let file = File::open(journal).unwrap();
    // The test writes far less than 1 MiB.
    file.take(1 << 20).read_to_end(&mut bytes).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0);
    end.map_or(0, |end| end as u64 + 1)
}

/// Copies the folder as a power failure leaves it. From byte `from` of the journal on, only the sectors whose bit in `kept`
/// is set have reached the disk. After 64 sectors, the bits of `kept` are used again. If the first sector has not reached
/// the disk, the copy lacks the preallocated zeros too.
pub(super) fn crashed(folder: &Path, from: u64, kept: u64) -> tempfile::TempDir {
    const SECTOR: usize = 32;
    let copy = tempfile::tempdir().unwrap();
    copy_all(folder, copy.path());
    for journal in journals(copy.path()) {
        let end = written(&journal);
        let mut file = File::options().write(true).open(&journal).unwrap();
        if kept.is_multiple_of(2) {
            let length = file.metadata().unwrap().len();
            file.set_len(end).unwrap();
            file.set_len(length).unwrap();
        }
        for (sector, start) in (from..end).step_by(SECTOR).enumerate() {
            if kept >> (sector % 64) & 1 == 0 {
                let bytes = SECTOR.min(usize::try_from(end - start).unwrap());
                file.seek(SeekFrom::Start(start)).unwrap();
                file.write_all(&vec![0; bytes]).unwrap();
            }
        }
    }
    copy
}

pub(super) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_all(&file.path(), &target);
        } else {
            copy_sparse(&file.path(), &target);
        }
    }
}

/// Copies a journal without the zeros at its end. A journal has 64 MiB, but only a few KiB of it are written.
fn copy_sparse(from: &Path, to: &Path) {
    let length = fs::metadata(from).unwrap().len();
    let mut start = Vec::new();
    let file = File::open(from).unwrap();
    file.take(1 << 20).read_to_end(&mut start).unwrap();
    fs::write(to, start).unwrap();
    let copy = File::options().write(true).open(to).unwrap();
    copy.set_len(length).unwrap();
}

fn keyspaces(folder: &Path) -> BTreeSet<PathBuf> {
    let folders = fs::read_dir(folder.join("keyspaces")).unwrap();
    folders.map(|folder| folder.unwrap().path()).collect()
}

#[tokio::test]
async fn a_crash_while_the_keyspace_of_dead_letters_is_created_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path()).await;
    let mut model = Model::default();
    model.apply(&Act::Enqueue(vec![0, 1, 2]), &mut queue).await;
    // The first settlement creates the keyspace of the history, so it writes more than later ones.
    let delivered = Act::Settle {
        most: 1,
        bits: 1,
        refused: false,
    };
    model.apply(&delivered, &mut queue).await;
    let known = keyspaces(folder.path());
    let journal = journals(folder.path()).pop().unwrap();
    let start = written(&journal);
    let parts_of_it = || crashed(folder.path(), start, 0);
    let (nothing, a_folder, a_tree) = (parts_of_it(), parts_of_it(), parts_of_it());
    let before = model.clone();
    let first = Act::Settle {
        most: 1,
        bits: 1,
        refused: true,
    };
    model.apply(&first, &mut queue).await;
    let mut created = keyspaces(folder.path());
    created.retain(|keyspace| !known.contains(keyspace));
    assert_eq!(created.len(), 1);
    let created = created.pop_first().unwrap();
    let name = Path::new("keyspaces").join(created.file_name().unwrap());
    fs::create_dir(a_folder.path().join(&name)).unwrap();
    copy_all(&created, &a_tree.path().join(&name));
    let without_a_row = parts_of_it();
    for crashed in [nothing, a_folder, a_tree, without_a_row] {
        let mut queue = Queue::open(crashed.path()).await;
        let mut found = before.clone();
        found.apply(&first, &mut queue).await;
        assert_eq!(found, model);
        drop(queue);
        assert_eq!(Queue::open(crashed.path()).await.contents().await, model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn after_a_crash_at_any_write_the_queue_holds_what_it_answered(
        acts in prop::collection::vec((act(), lost()), 1..8)
    ) {
        on_this_thread(async {
            let folder = tempfile::tempdir().unwrap();
            let mut queue = Queue::open(folder.path()).await;
            let mut model = Model::default();
            for (act, kept) in acts {
                let journal = journals(folder.path()).pop().unwrap();
                let (before, start) = (model.clone(), written(&journal));
                model.apply(&act, &mut queue).await;

                let whole = crashed(folder.path(), start, u64::MAX);
                assert_eq!(Queue::open(whole.path()).await.contents().await, model);

                let torn = crashed(folder.path(), start, kept);
                let found = Queue::open(torn.path()).await.contents().await;
                assert!(
                    found == before || found == model,
                    "the queue must be as before the write {before:?} or as after it {model:?}, got {found:?}"
                );
            }
        });
    }
}
