//! Makes the store's journal fit to be opened after a power cut.
//!
//! A batch that was being written when the power went may have reached the disk in part, with holes. Nobody
//! was told that it is on disk, so it may go; but fjall (3.1) opens no journal with a hole in its last batch,
//! and silently drops whatever lies behind a damaged one. So every journal is walked before fjall sees it:
//! an unfinished batch at its end is cut off, and damage with intact batches behind it is an error that
//! loses nothing.
//!
//! Then it is written over itself and synced. After a sync that failed, Linux returns the data to every reader, calls it
//! clean, and never writes it: what reads back may be gone once the power goes, and a repeat is answered by it.
//!
//! A journal is a row of batches: a start (1, number of entries, 4 bytes, sequence number, 8 bytes), entries
//! (an item: 2, type, compression, keyspace, 8 bytes, lengths of the key, 2 bytes, and of the value, twice 4
//! bytes, key, value; or 4, keyspace, 8 bytes), an end (3, xxh3 of the entries, 8 bytes, `FJL` and 3).
//! Numbers are little-endian. Zeros follow: the file is as long as it will ever be.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    mem,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

use super::{Error, manifest};

const TRAILER: &[u8] = b"FJL\x03";
const START_BYTES: u64 = 1 + 4 + 8;
const PIECE_BYTES: u64 = 64 * 1024;
/// How much is written over itself at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// Looks through all journals in `folder`, cuts off unfinished ends, and has the disk get everything else. Nobody may
/// write to them meanwhile.
pub(super) fn mend(folder: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::Folder(error)),
    };
    for entry in entries {
        let path = entry.map_err(Error::Folder)?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            let number = path.file_stem().and_then(|name| name.to_str());
            let is_named = number.is_some_and(|number| number.parse::<u64>().is_ok());
            if !path.is_file() || !is_named {
                return manifest::damaged(folder, &path);
            }
            let intact = mend_file(&path)?;
            write_again(&path, intact).map_err(Error::Folder)?;
        }
    }
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(Error::Folder)
}

/// How much of the journal is left.
fn mend_file(path: &Path) -> Result<u64, Error> {
    let intact = intact_bytes(path).map_err(Error::Folder)?;
    let rest = written_behind(path, intact).map_err(Error::Folder)?;
    if rest.is_empty() {
        return Ok(intact);
    }
    if holds_a_batch(&rest) {
        return Err(Error::Damaged {
            file: PathBuf::from(path.file_name().unwrap_or_default()),
            at: intact,
        });
    }
    tracing::warn!(
        bytes = rest.len(),
        "an unfinished write was found and cut off; nothing in it had been accepted"
    );
    let cut = || {
        let file = File::options().write(true).open(path)?;
        file.set_len(intact)?;
        file.sync_all()
    };
    cut().map_err(Error::Folder)?;
    Ok(intact)
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

/// How much of a journal is whole batches.
fn intact_bytes(path: &Path) -> io::Result<u64> {
    let mut journal = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let mut intact = 0;
    while let Some(bytes) = read_batch(&mut journal)? {
        intact += bytes;
    }
    Ok(intact)
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

/// Reads one batch and says how long it is; `None` where there is no whole one.
fn read_batch(input: &mut impl Read) -> io::Result<Option<u64>> {
    match batch_bytes(input) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read,
    }
}

fn batch_bytes(input: &mut impl Read) -> io::Result<Option<u64>> {
    let [1] = read(input)? else { return Ok(None) };
    let entries = u32::from_le_bytes(read(input)?);
    let [_, _, _, _, _, _, _, _] = read(input)?;
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
    Ok(whole.then_some(bytes + 1 + 8 + 4))
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
