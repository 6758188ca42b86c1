//! Checks the store's files before fjall reads them.
//!
//! fjall (3.1) aborts the process when it reads some damaged files. If its table of keyspaces is missing, fjall treats
//! the table as empty, and removes all keyspaces that the table does not list. The proxy therefore checks the files
//! first, and names the damaged file.
//!
//! The start reads only a part of the large tables. A thread reads the rest later.
//!
//! Each folder in `keyspaces` has a file `current`. This file contains the number of the newest manifest (8 bytes), the
//! xxh3 of that manifest (16 bytes) and a zero. The name of the manifest is `v` and the number. The manifest is an
//! archive, and its section `tables` lists levels, runs and tables. The entry of a table contains the table's number (8
//! bytes), a zero, its xxh3 (16 bytes) and 8 more bytes. Numbers are little-endian. [`journal`] checks the journals.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::{contents::Contents, folder, journal};
use crate::store::Error;

/// The contents of the file `version`.
const VERSION: &[u8] = b"FJL\x03";
/// The keyspace that lists the other keyspaces.
const LIST: &str = "0";
/// How many bytes of a table are read at a time, and how long the thread pauses after each piece.
const PIECE_BYTES: usize = 256 * 1024;
const PAUSE: Duration = Duration::from_millis(5);

/// A table of which the start has read only a part.
pub(crate) struct Unread {
    path: PathBuf,
    checksum: u128,
    bytes: u64,
}

/// Checks that every file except the journals is intact, and that every file in `contents` exists. Reads the smallest
/// tables completely, up to `at_once` bytes in total. Of every larger table it reads only the list of the table's parts.
/// Later, fjall checks the checksum of each block that it reads.
pub(crate) fn check(
    folder: &Path,
    contents: Option<&Contents>,
    at_once: u64,
) -> Result<Vec<Unread>, Error> {
    let keyspaces = folder.join("keyspaces");
    let list = keyspaces.join(LIST);
    let version = read(&folder.join("version"))?;
    if version.is_none() && contents.is_none() && !list.exists() && !keyspaces.is_file() {
        // A folder without journals is new. If there are journals, the version file is lost.
        let is_new = journal::numbers(folder)?.is_empty();
        return if is_new {
            Ok(Vec::new())
        } else {
            damaged(folder, "version")
        };
    }
    if version.as_deref() != Some(VERSION) {
        return damaged(folder, "version");
    }
    for number in contents.iter().flat_map(|contents| &contents.keyspaces) {
        let current = keyspaces.join(number.to_string()).join("current");
        if !current.is_file() {
            return damaged(folder, current);
        }
    }
    let Ok(entries) = fs::read_dir(&keyspaces) else {
        return damaged(folder, keyspaces);
    };
    let mut tables = Vec::new();
    for entry in entries {
        let keyspace = entry.map_err(Error::Folder)?.path();
        tables.extend(check_keyspace(folder, &keyspace)?);
    }
    // The file `current` of the list of keyspaces is created before the first event is accepted, so the file must exist.
    if !list.join("current").exists() {
        return damaged(folder, list.join("current"));
    }
    check_tables(folder, tables, at_once)
}

/// Reads tables while the store is in use, and returns the damaged ones. Stops when `is_open` returns false. A table that
/// does not exist any more is not damaged: fjall has merged it into another table.
pub(crate) fn damaged_of(
    tables: &[Unread],
    is_open: impl Fn() -> bool,
) -> impl Iterator<Item = &Path> {
    let open = tables.iter().take_while(move |_| is_open());
    let damaged = open.filter(|table| {
        let found = checksum_of(&table.path, || thread::park_timeout(PAUSE));
        found.map_or(true, |found| {
            found.is_some_and(|found| found != table.checksum)
        })
    });
    damaged.map(|table| table.path.as_path())
}

fn check_tables(
    folder: &Path,
    mut tables: Vec<Unread>,
    mut at_once: u64,
) -> Result<Vec<Unread>, Error> {
    tables.sort_by_key(|table| table.bytes);
    let mut unread = Vec::new();
    for table in tables {
        let left = at_once.checked_sub(table.bytes);
        at_once = left.unwrap_or_default();
        let is_whole = match left {
            Some(_) => checksum_of(&table.path, || ())? == Some(table.checksum),
            None => sfa::Reader::new(&table.path).is_ok(),
        };
        if !is_whole {
            return damaged(folder, table.path);
        }
        if left.is_none() {
            unread.push(table);
        }
    }
    Ok(unread)
}

/// Removes the files of a store whose creation was interrupted by a crash, because fjall cannot continue with these
/// files. The list of keyspaces is still empty then, so no event had been accepted.
pub(crate) fn clear_unfinished(folder: &Path) -> Result<(), Error> {
    let version = read(&folder.join("version"))?.unwrap_or_default();
    if !VERSION.starts_with(&version) || !folder.join("lock").is_file() {
        return Ok(());
    }
    let keyspaces = folder.join("keyspaces");
    for keyspace in fs::read_dir(&keyspaces).into_iter().flatten() {
        let keyspace = keyspace.map_err(Error::Folder)?;
        let tables = fs::read_dir(keyspace.path().join("tables"));
        if keyspace.file_name() != LIST || tables.into_iter().flatten().next().is_some() {
            return Ok(());
        }
    }
    for number in journal::numbers(folder)? {
        if number > 0 || !journal::is_empty(&journal::path(folder, number))? {
            return Ok(());
        }
    }
    if keyspaces.is_dir() {
        if_there(fs::remove_dir_all(keyspaces))?;
    }
    if_there(fs::remove_file(folder.join("version")))?;
    if_there(fs::remove_file(journal::path(folder, 0)))?;
    Ok(())
}

fn if_there<T>(result: io::Result<T>) -> Result<Option<T>, Error> {
    folder::if_there(result).map_err(Error::Folder)
}

/// Checks the tables of a keyspace.
fn check_keyspace(folder: &Path, keyspace: &Path) -> Result<Vec<Unread>, Error> {
    let name = keyspace.file_name().and_then(|name| name.to_str());
    if !keyspace.is_dir() || name.is_none_or(|name| name.parse::<u64>().is_err()) {
        return damaged(folder, keyspace);
    }
    let has_tables = check_table_names(folder, &keyspace.join("tables"))?;
    let current = keyspace.join("current");
    let Some(bytes) = read(&current)? else {
        // A keyspace without a manifest is unfinished: the power failed while the keyspace was being created.
        return if has_tables || current.exists() {
            damaged(folder, current)
        } else {
            Ok(Vec::new())
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
    let mut unread = Vec::with_capacity(tables.len());
    for (number, checksum) in tables {
        let path = keyspace.join("tables").join(number.to_string());
        let Some(about) = if_there(fs::metadata(&path))? else {
            return damaged(folder, path);
        };
        unread.push(Unread {
            path,
            checksum,
            bytes: about.len(),
        });
    }
    Ok(unread)
}

/// Checks that every entry in `tables` is a file with a number as its name. fjall would remove the tables that no
/// manifest lists, and would abort the process if one of them is not a file. Returns whether there are tables.
fn check_table_names(folder: &Path, tables: &Path) -> Result<bool, Error> {
    if tables.is_file() {
        return damaged(folder, tables);
    }
    let mut found = false;
    for entry in if_there(fs::read_dir(tables))?.into_iter().flatten() {
        let table = entry.map_err(Error::Folder)?.path();
        let name = table.file_name().and_then(|name| name.to_str());
        if !table.is_file() || name.is_none_or(|name| name.parse::<u64>().is_err()) {
            return damaged(folder, table);
        }
        found = true;
    }
    Ok(found)
}

fn read_current(mut bytes: &[u8]) -> Option<(u64, u128)> {
    let number = u64::from_le_bytes(take(&mut bytes)?);
    let checksum = u128::from_le_bytes(take(&mut bytes)?);
    (bytes == [0]).then_some((number, checksum))
}

/// Reads the tables that a manifest lists, with their checksums.
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

/// Computes the checksum of a file, with pauses. Returns `None` if the file does not exist.
fn checksum_of(path: &Path, pause: impl Fn()) -> Result<Option<u128>, Error> {
    let Some(mut file) = if_there(File::open(path))? else {
        return Ok(None);
    };
    let mut hash = Xxh3::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece).map_err(Error::Folder)?;
        if read == 0 {
            return Ok(Some(hash.digest128()));
        }
        hash.update(piece.get(..read).unwrap_or_default());
        pause();
    }
}

/// Reads the bytes of a file. Returns `None` if the file does not exist.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    if_there(fs::read(path))
}

/// Returns an error that names the path in `folder`.
pub(crate) fn damaged<T>(folder: &Path, path: impl AsRef<Path>) -> Result<T, Error> {
    let path = path.as_ref();
    let file: PathBuf = path.strip_prefix(folder).unwrap_or(path).to_owned();
    Err(Error::Unreadable { file })
}
