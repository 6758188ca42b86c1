//! Repairs the store's journal after a power cut, so that fjall can open it.
//!
//! A batch that was being written during the power cut may be on disk only in part, with holes. No caller has got the
//! answer that this batch is on disk, so the batch can be removed. But fjall (3.1) does not open a journal with a hole in
//! its last batch. fjall also silently drops all data after a damaged batch. The proxy therefore checks every journal
//! before fjall opens it. The proxy cuts off an unfinished batch at the end of the last journal. If intact batches follow
//! a damaged batch, the proxy reports an error and removes nothing.
//!
//! The checksum of a batch does not cover the start of the batch. The number of entries can be verified by the entries
//! that follow. The sequence numbers must rise from batch to batch and from journal to journal. If a damaged sequence
//! number still rises, no data is dropped. The only exception is the first sequence number of a journal, so this number
//! is [listed](super::contents).
//!
//! After this check, the proxy writes the journal's bytes over themselves and syncs the file. The reason is a failed sync
//! before the start: after a failed sync, Linux still returns the data to readers, but marks the data as clean and never
//! writes it to the disk. Because of such data, the proxy would answer a repeated event as already stored, and a power
//! cut would then lose the event.
//!
//! A journal is a sequence of batches. A batch has a start, entries and an end:
//!
//! - The start is 1, the number of entries (4 bytes) and the sequence number (8 bytes).
//! - There are two kinds of entries. An item is 2, type, compression, keyspace (8 bytes), the lengths of the key (2 bytes) and
//!   of the value (twice 4 bytes), the key and the value. The removal of a whole keyspace is 4 and the keyspace (8 bytes).
//! - The end is 3, the xxh3 of the entries (8 bytes), `FJL` and 3.
//!
//! Numbers are little-endian. Zeros follow the last batch, because fjall creates the file with its final length.

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
/// The largest difference between the sequence numbers of two neighbouring batches. fjall uses the same numbers for
/// changes of its lists of tables, and at most some hundreds of such changes come between two batches.
const MOST_APART: u64 = 1 << 16;
const PIECE_BYTES: u64 = 64 * 1024;
/// How many bytes are read and written back at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// Checks all journals in `folder`, cuts off unfinished batches at their ends, and syncs what is left. The caller must
/// allow no other writes until this function returns. Returns how many bytes of each journal are left.
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
        // Only the last journal with data, or a later one, can end with an unfinished batch. The ends of older journals
        // were cut off at an earlier start.
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
            "an unfinished write was found and cut off; none of its events had been accepted"
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

/// Returns how many bytes of each journal are complete batches.
pub(super) fn whole(folder: &Path) -> Result<BTreeMap<u64, u64>, Error> {
    walk_all(folder).map(bytes_of)
}

fn bytes_of(walks: BTreeMap<u64, Walk>) -> BTreeMap<u64, u64> {
    let walks = walks.into_iter();
    walks.map(|(number, walk)| (number, walk.bytes)).collect()
}

/// Returns the numbers of the journals in `folder`. Returns an empty set if the folder does not exist.
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

/// Returns the sequence number of the journal's first batch, if there is one.
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

/// Returns whether a journal contains no data.
pub(super) fn is_empty(path: &Path) -> Result<bool, Error> {
    let written = written_behind(path, 0).map_err(Error::Folder)?;
    Ok(written.is_empty())
}

/// Checks that no journal is missing. fjall removes the oldest journal first, and never removes the newest.
fn check_numbers(
    folder: &Path,
    walks: &BTreeMap<u64, Walk>,
    contents: Option<&Contents>,
) -> Result<(), Error> {
    let listed = contents.and_then(|contents| contents.journals.keys().next_back());
    let newest = walks.keys().next_back().max(listed);
    let oldest = walks.keys().next().or(listed);
    let Some((oldest, newest)) = oldest.zip(newest) else {
        // fjall writes the version file after the first journal, so a folder without it is new.
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

/// The contents of a journal.
struct Walk {
    first: Option<u64>,
    /// How many bytes of the journal are complete batches.
    bytes: u64,
}

/// Reads all journals in the order in which they were written. The sequence numbers must rise from batch to batch.
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
            // If fjall retries a failed write, the same batch can be in the journal twice. The second copy is skipped.
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

/// Reads the first `bytes` of the file and writes them back to the same positions, then syncs the file.
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

/// Returns the bytes that were written from `start` on, without holes and without the zeros at the end.
fn written_behind(path: &Path, start: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut written = Vec::new();
    let mut at = start;
    while at < length {
        let data = match rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(rustix::io::Errno::NXIO) => break,
            // On this file system one cannot ask for holes, so everything counts as data.
            Err(_) => at,
        };
        let hole = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(data)).unwrap_or(length);
        file.seek(SeekFrom::Start(data))?;
        read_all_but_zeros(file.by_ref().take(hole - data), &mut written)?;
        at = hole.max(data + 1);
    }
    Ok(written)
}

/// Appends the bytes of `from` to `to`, without the blocks at the end that are all zeros.
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

/// Returns whether `bytes` contain the end of a batch, and directly after it another, complete batch.
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

/// Reads one batch. Returns `None` if there is no complete batch.
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
