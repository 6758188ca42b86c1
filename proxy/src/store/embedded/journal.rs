//! Makes the store's journal fit to be opened after a power cut.
//!
//! A batch that was being written when the power went may have reached the disk in part, with holes. Nobody
//! was told that it is on disk, so it may go; but fjall (3.1) opens no journal with a hole in its last batch,
//! and silently drops whatever lies behind a damaged one. So every journal is walked before fjall sees it:
//! an unfinished batch at the end of the last one is cut off, and damage with intact batches behind it is an error
//! that loses nothing. The checksum of a batch does not cover its start: its number of entries shows in what follows,
//! and the sequence numbers rise from batch to batch and from journal to journal. A change of one that leaves them
//! rising drops nothing, but for the first of all, which is [listed](super::contents).
//!
//! Then it is written over itself and synced. After a sync that failed, Linux returns the data to every reader, calls it
//! clean, and never writes it: what reads back may be gone once the power goes, and a repeat is answered by it.
//!
//! A journal is a row of batches: a start (1, number of entries, 4 bytes, sequence number, 8 bytes), entries
//! (an item: 2, type, compression, keyspace, 8 bytes, lengths of the key, 2 bytes, and of the value, twice 4
//! bytes, key, value; or 4, keyspace, 8 bytes), an end (3, xxh3 of the entries, 8 bytes, `FJL` and 3).
//! Numbers are little-endian. Zeros follow: the file is as long as it will ever be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    mem,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

use super::{contents::Contents, manifest};
use crate::store::Error;

const TRAILER: &[u8] = b"FJL\x03";
const START_BYTES: u64 = 1 + 4 + 8;
/// The most that the sequence numbers of two batches in a row are apart: fjall counts batches, and changes of its lists of
/// tables, of which there are hundreds at most between two batches.
const MOST_APART: u64 = 1 << 16;
const PIECE_BYTES: u64 = 64 * 1024;
/// How much is written over itself at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// Looks through all journals in `folder`, cuts off unfinished ends, and has the disk get everything else. Nobody may
/// write to them meanwhile. Returns how many bytes of each are left.
pub(super) fn mend(
    folder: &Path,
    contents: Option<&Contents>,
) -> Result<BTreeMap<u64, u64>, Error> {
    let walks = walk_all(folder)?;
    check_numbers(folder, &walks, contents)?;
    let last = walks.iter().rev().find(|(_, walk)| walk.bytes > 0);
    let last = last.map(|(number, _)| *number);
    let mut unfinished = Vec::new();
    for (number, walk) in &walks {
        let path = path(folder, *number);
        let listed = contents.and_then(|contents| contents.journals.get(number));
        let first = listed.and_then(|listed| listed.first);
        if first.is_some() && first != walk.first {
            return does_not_read_back(&path, 0);
        }
        let rest = written_behind(&path, walk.bytes).map_err(Error::Folder)?;
        // Whoever writes to a journal has read the older ones, and cut off their ends.
        let may_be_unfinished = last.is_none_or(|last| *number >= last) && !holds_a_batch(&rest);
        if listed.is_some_and(|listed| walk.bytes < listed.bytes)
            || !(rest.is_empty() || may_be_unfinished)
        {
            return does_not_read_back(&path, walk.bytes);
        }
        if !rest.is_empty() {
            unfinished.push((path, walk.bytes, rest.len()));
        }
    }
    for (path, whole, bytes) in unfinished {
        tracing::warn!(
            file = %path.display(),
            bytes,
            "an unfinished write was found and cut off; nothing in it had been accepted"
        );
        let cut = || {
            let file = File::options().write(true).open(path)?;
            file.set_len(whole)?;
            file.sync_all()
        };
        cut().map_err(Error::Folder)?;
    }
    for (number, walk) in &walks {
        write_again(&path(folder, *number), walk.bytes).map_err(Error::Folder)?;
    }
    if !walks.is_empty() {
        let sync = || File::open(folder)?.sync_all();
        sync().map_err(Error::Folder)?;
    }
    Ok(bytes_of(walks))
}

/// How many bytes of each journal are whole batches.
pub(super) fn whole(folder: &Path) -> Result<BTreeMap<u64, u64>, Error> {
    walk_all(folder).map(bytes_of)
}

fn bytes_of(walks: BTreeMap<u64, Walk>) -> BTreeMap<u64, u64> {
    let walks = walks.into_iter();
    walks.map(|(number, walk)| (number, walk.bytes)).collect()
}

/// The numbers of the journals in `folder`, none where that is not there.
pub(super) fn numbers(folder: &Path) -> Result<BTreeSet<u64>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(Error::Folder)?,
    };
    let mut numbers = BTreeSet::new();
    for entry in entries {
        let found = entry.map_err(Error::Folder)?.path();
        let kind = found.extension().unwrap_or_default();
        if !kind.eq_ignore_ascii_case("jnl") {
            continue;
        }
        let name = found.file_stem().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.parse().ok());
        match number.filter(|number| path(folder, *number) == found) {
            Some(number) if found.is_file() => numbers.insert(number),
            _ => return manifest::damaged(folder, found),
        };
    }
    Ok(numbers)
}

pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.jnl"))
}

/// The sequence number of the journal's first batch, where one has begun.
pub(super) fn first_sequence(path: &Path) -> io::Result<Option<u64>> {
    let mut start = Vec::new();
    File::open(path)?
        .take(START_BYTES)
        .read_to_end(&mut start)?;
    let mut start = start.as_slice();
    let [tag, ..] = read::<5>(&mut start).unwrap_or_default();
    let sequence = read(&mut start).map(u64::from_le_bytes);
    Ok(sequence.ok().filter(|_| tag == 1))
}

/// Whether nothing has been written to a journal.
pub(super) fn is_empty(path: &Path) -> Result<bool, Error> {
    let written = written_behind(path, 0).map_err(Error::Folder)?;
    Ok(written.is_empty())
}

/// fjall removes the oldest journal first, and the newest never.
fn check_numbers(
    folder: &Path,
    walks: &BTreeMap<u64, Walk>,
    contents: Option<&Contents>,
) -> Result<(), Error> {
    let listed = contents.and_then(|contents| contents.journals.keys().next_back());
    let newest = walks.keys().next_back().max(listed);
    let oldest = walks.keys().next().or(listed);
    let Some((oldest, newest)) = oldest.zip(newest) else {
        // The version is written once there is a journal.
        let is_new = !folder.join("version").exists();
        return if is_new {
            Ok(())
        } else {
            manifest::damaged(folder, path(folder, 0))
        };
    };
    match (*oldest..=*newest).find(|number| !walks.contains_key(number)) {
        Some(missing) => manifest::damaged(folder, path(folder, missing)),
        None => Ok(()),
    }
}

fn does_not_read_back<T>(path: &Path, at: u64) -> Result<T, Error> {
    Err(Error::Damaged {
        file: PathBuf::from(path.file_name().unwrap_or_default()),
        at,
    })
}

/// What a journal holds.
struct Walk {
    first: Option<u64>,
    /// How much of it is whole batches.
    bytes: u64,
}

/// Walks all journals in the order in which they were written: the sequence numbers rise from batch to batch.
fn walk_all(folder: &Path) -> Result<BTreeMap<u64, Walk>, Error> {
    let mut walks = BTreeMap::new();
    let mut latest = None;
    for number in numbers(folder)? {
        let path = path(folder, number);
        let journal = File::open(&path).map_err(Error::Folder)?;
        let mut journal = BufReader::with_capacity(256 * 1024, journal);
        let (mut first, mut bytes, mut checksum) = (None, 0, None);
        while let Some(batch) = read_batch(&mut journal).map_err(Error::Folder)? {
            let sequence = batch.sequence;
            // A write that fails after all is written again behind itself: the same batch twice is that batch.
            let is_again = latest == Some(sequence) && checksum == Some(batch.checksum);
            checksum = Some(batch.checksum);
            if is_again {
                bytes += batch.bytes;
                continue;
            }
            if latest.is_some_and(|latest| sequence <= latest || sequence - latest > MOST_APART) {
                return does_not_read_back(&path, bytes);
            }
            latest = Some(sequence);
            first = first.or(latest);
            bytes += batch.bytes;
        }
        walks.insert(number, Walk { first, bytes });
    }
    Ok(walks)
}

/// Writes the first `bytes` over themselves, and syncs.
fn write_again(path: &Path, bytes: u64) -> io::Result<()> {
    let journal = File::options().read(true).write(true).open(path)?;
    let mut piece = vec![0; COPY_BYTES];
    let mut at = 0;
    while at < bytes {
        let length = usize::try_from(bytes - at).unwrap_or(usize::MAX);
        let part = piece.get_mut(..length.min(COPY_BYTES)).unwrap_or_default();
        journal.read_exact_at(part, at)?;
        journal.write_all_at(part, at)?;
        at += part.len() as u64;
    }
    journal.sync_all()
}

/// What was written behind `start`, without holes, and without the zeros at the end.
fn written_behind(path: &Path, start: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut written = Vec::new();
    let mut at = start;
    while at < length {
        let data = match rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(rustix::io::Errno::NXIO) => break,
            // A file system that does not tell holes from data.
            Err(_) => at,
        };
        let hole = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(data)).unwrap_or(length);
        file.seek(SeekFrom::Start(data))?;
        read_all_but_zeros(file.by_ref().take(hole - data), &mut written)?;
        at = hole.max(data + 1);
    }
    Ok(written)
}

/// Appends what is read to `to`, without the pieces at its end that are all zeros.
fn read_all_but_zeros(mut from: impl Read, to: &mut Vec<u8>) -> io::Result<()> {
    let (mut piece, mut zeros) = (Vec::new(), 0);
    while (&mut from).take(PIECE_BYTES).read_to_end(&mut piece)? > 0 {
        if piece.iter().all(|byte| *byte == 0) {
            zeros += piece.len();
            piece.clear();
        } else {
            to.resize(to.len() + mem::take(&mut zeros), 0);
            to.append(&mut piece);
        }
    }
    Ok(())
}

/// Whether a whole batch begins behind some end of another.
fn holds_a_batch(mut bytes: &[u8]) -> bool {
    while let Some(at) = bytes
        .windows(TRAILER.len())
        .position(|window| window == TRAILER)
    {
        bytes = bytes.get(at + TRAILER.len()..).unwrap_or_default();
        if read_batch(&mut &*bytes).is_ok_and(|batch| batch.is_some()) {
            return true;
        }
    }
    false
}

struct Batch {
    sequence: u64,
    bytes: u64,
    checksum: u64,
}

/// Reads one batch; `None` where there is no whole one.
fn read_batch(input: &mut impl Read) -> io::Result<Option<Batch>> {
    match try_batch(input) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read,
    }
}

fn try_batch(input: &mut impl Read) -> io::Result<Option<Batch>> {
    let [1] = read(input)? else { return Ok(None) };
    let entries = u32::from_le_bytes(read(input)?);
    let sequence = u64::from_le_bytes(read(input)?);
    let mut bytes = START_BYTES;
    let mut hash = Xxh3::new();
    for _ in 0..entries {
        let tag: [u8; 1] = read(input)?;
        hash.update(&tag);
        match tag {
            [2] => {
                let head: [u8; 20] = read(input)?;
                hash.update(&head);
                let [_, 0, _, _, _, _, _, _, _, _, k0, k1, v0, v1, v2, v3, d @ ..] = head else {
                    return Ok(None);
                };
                if [v0, v1, v2, v3] != d {
                    return Ok(None);
                }
                let length =
                    u64::from(u16::from_le_bytes([k0, k1])) + u64::from(u32::from_le_bytes(d));
                hash_through(input, length, &mut hash)?;
                bytes += 21 + length;
            }
            [4] => {
                let keyspace: [u8; 8] = read(input)?;
                hash.update(&keyspace);
                bytes += 9;
            }
            _ => return Ok(None),
        }
    }
    let [3] = read(input)? else { return Ok(None) };
    let expected = u64::from_le_bytes(read(input)?);
    let trailer: [u8; 4] = read(input)?;
    let whole = expected == hash.digest() && trailer == TRAILER;
    bytes += 1 + 8 + 4;
    Ok(whole.then_some(Batch {
        sequence,
        bytes,
        checksum: expected,
    }))
}

fn read<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn hash_through(input: &mut impl Read, mut length: u64, hash: &mut Xxh3) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    while length > 0 {
        let most = usize::try_from(length).unwrap_or(usize::MAX);
        let part = most.min(buffer.len());
        let Some(part) = buffer.get_mut(..part) else {
            break;
        };
        input.read_exact(part)?;
        hash.update(part);
        length -= part.len() as u64;
    }
    Ok(())
}
