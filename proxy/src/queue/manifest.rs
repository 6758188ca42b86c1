//! Checks that the store's files are as they were written, before fjall reads them.
//!
//! fjall (3.1) ends the process over some files that are not, and takes a table of keyspaces that is gone for one that
//! is empty: it removes what is not in it. So damage is found here first, and its place is named.
//!
//! Each folder in `keyspaces` has a file `current`: the number of the newest manifest (8 bytes), its xxh3 (16 bytes) and
//! a zero. That manifest, `v` and the number, is an archive whose section `tables` lists levels, runs and tables, each
//! table with its number (8 bytes), a zero, its xxh3 (16 bytes) and 8 bytes more. Numbers are little-endian. Journals are
//! looked at by [`journal`](super::journal).

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::Error;

/// What the file `version` says.
const VERSION: &[u8] = b"FJL\x03";
/// The keyspace that lists the others.
const LIST: &str = "0";
/// How much of a table is read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Whether every file but the journals is whole.
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    let list = folder.join("keyspaces").join(LIST);
    let version = match fs::read(folder.join("version")) {
        Ok(version) => version,
        // Nothing has been stored yet.
        Err(error) if is_missing(&error) && !list.exists() => return Ok(()),
        Err(error) if is_missing(&error) => return damaged(folder, "version"),
        Err(error) => return Err(Error::Folder(error)),
    };
    if version != VERSION {
        return damaged(folder, "version");
    }
    for entry in fs::read_dir(folder.join("keyspaces")).map_err(Error::Folder)? {
        let path = entry.map_err(Error::Folder)?.path();
        if path.is_dir() {
            check_keyspace(folder, &path)?;
        }
    }
    // It is made before the first event is taken, so that it is missing in a store that nothing is in.
    if fs::read_dir(folder.join("keyspaces")).is_ok_and(|mut any| any.next().is_some())
        && !list.join("current").exists()
    {
        return damaged(folder, list.join("current"));
    }
    Ok(())
}

fn check_keyspace(folder: &Path, keyspace: &Path) -> Result<(), Error> {
    let name = keyspace.file_name().and_then(|name| name.to_str());
    if name.is_none_or(|name| name.parse::<u64>().is_err()) {
        return damaged(folder, keyspace);
    }
    let current = keyspace.join("current");
    let Some(bytes) = read(&current)? else {
        // The power went while it was made.
        let tables = fs::read_dir(keyspace.join("tables"));
        let is_new = !tables.is_ok_and(|mut tables| tables.next().is_some());
        return if is_new {
            Ok(())
        } else {
            damaged(folder, current)
        };
    };
    let Some((number, checksum)) = read_current(&bytes) else {
        return damaged(folder, current);
    };
    let manifest = keyspace.join(format!("v{number}"));
    let whole = read(&manifest)?.filter(|bytes| xxh3_128(bytes) == checksum);
    let Some(tables) = whole.and_then(|bytes| read_tables(&bytes)) else {
        return damaged(folder, manifest);
    };
    for (number, checksum) in tables {
        let table = keyspace.join("tables").join(number.to_string());
        if checksum_of(&table)? != Some(checksum) {
            return damaged(folder, table);
        }
    }
    Ok(())
}

fn read_current(mut bytes: &[u8]) -> Option<(u64, u128)> {
    let number = u64::from_le_bytes(take(&mut bytes)?);
    let checksum = u128::from_le_bytes(take(&mut bytes)?);
    (bytes == [0]).then_some((number, checksum))
}

/// The tables that a manifest lists, with their checksums.
fn read_tables(manifest: &[u8]) -> Option<Vec<(u64, u128)>> {
    let archive = sfa::Reader::from_reader(&mut io::Cursor::new(manifest)).ok()?;
    let section = archive.toc().section(b"tables")?;
    let start = usize::try_from(section.pos()).ok()?;
    let mut rest = manifest.get(start..)?;
    let mut tables = Vec::new();
    let [levels] = take(&mut rest)?;
    for _ in 0..levels {
        let [runs] = take(&mut rest)?;
        for _ in 0..runs {
            for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
                let number = u64::from_le_bytes(take(&mut rest)?);
                let [0] = take(&mut rest)? else { return None };
                let checksum = u128::from_le_bytes(take(&mut rest)?);
                let [_, _, _, _, _, _, _, _] = take(&mut rest)?;
                tables.push((number, checksum));
            }
        }
    }
    Some(tables)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// The checksum of a file; `None` where there is none.
fn checksum_of(path: &Path) -> Result<Option<u128>, Error> {
    let mut file = match File::open(path) {
        Err(error) if is_missing(&error) => return Ok(None),
        opened => opened.map_err(Error::Folder)?,
    };
    let mut hash = Xxh3::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece).map_err(Error::Folder)?;
        if read == 0 {
            return Ok(Some(hash.digest128()));
        }
        hash.update(piece.get(..read).unwrap_or_default());
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Err(error) if is_missing(&error) => Ok(None),
        read => read.map(Some).map_err(Error::Folder),
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// An error that says where `path` is in `folder`.
pub(super) fn damaged<T>(folder: &Path, path: impl AsRef<Path>) -> Result<T, Error> {
    let path = path.as_ref();
    let file: PathBuf = path.strip_prefix(folder).unwrap_or(path).to_owned();
    Err(Error::Unreadable { file })
}
