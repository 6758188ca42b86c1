//! Writes zeros where the journal is going to be written.
//!
//! fjall's journal is a file full of holes: a sync of what was appended to it has the file system find blocks and write
//! its own records. A sync that takes a stretch of zeros along does that for all the syncs that follow on this stretch.
//!
//! Only the thread that commits writes here, so that fjall writes nothing meanwhile: its own worker syncs a journal and
//! begins another, and adds to neither.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rustix::{fs::SeekFrom as Place, io::Errno};

pub(super) struct Ahead {
    folder: PathBuf,
    zeros: Vec<u8>,
    /// How much may still be committed before more zeros are due.
    left: usize,
}

impl Ahead {
    /// Writes `piece` zeros at a time.
    pub(super) fn new(folder: PathBuf, piece: usize) -> Self {
        Self {
            folder,
            zeros: vec![0; piece],
            left: 0,
        }
    }

    /// Takes note that about so many bytes were committed.
    ///
    /// # Errors
    /// When the disk refuses: then the next commit is told so too.
    pub(super) fn committed(&mut self, bytes: usize) -> io::Result<()> {
        if bytes <= self.left {
            self.left -= bytes;
            return Ok(());
        }
        self.left = self.zeros.len();
        let Some(journal) = newest(&self.folder)? else {
            return Ok(());
        };
        let mut journal = File::options().write(true).open(journal)?;
        let Some((start, length)) = hole(&journal)? else {
            return Ok(());
        };
        let zeros = self.zeros.get(..length).unwrap_or(&self.zeros);
        journal.seek(SeekFrom::Start(start))?;
        journal.write_all(zeros)
    }
}

/// The journal that is being written.
fn newest(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(".jnl")?.parse::<u64>().ok());
        newest = newest.max(number.map(|number| (number, path)));
    }
    Ok(newest.map(|(_, path)| path))
}

/// Where the file has a hole up to its end, and how long that is. A journal that was found at the start has none: it
/// was cut off at the end of its last batch, and is written at its end.
fn hole(journal: &File) -> io::Result<Option<(u64, usize)>> {
    let end = journal.metadata()?.len();
    let start = match rustix::fs::seek(journal, Place::Hole(0)) {
        Ok(start) if start < end => start,
        Ok(_) | Err(Errno::INVAL) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match rustix::fs::seek(journal, Place::Data(start)) {
        Err(Errno::NXIO) => {
            let length = usize::try_from(end - start).unwrap_or(usize::MAX);
            Ok(Some((start, length)))
        }
        Ok(_) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 64 * 1024;
    const LENGTH: usize = 1024 * 1024;

    /// A journal with something in it and a hole behind, up to `length`.
    fn journal(folder: &Path, name: &str, length: usize) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, [7; 1000]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(length as u64).unwrap();
        path
    }

    fn hole_at(journal: &Path) -> usize {
        let hole = hole(&File::open(journal).unwrap()).unwrap();
        hole.map_or(LENGTH, |(start, _)| usize::try_from(start).unwrap())
    }

    #[test]
    fn zeros_are_written_into_the_newest_journals_hole_when_they_are_due() {
        let folder = tempfile::tempdir().unwrap();
        let older = journal(folder.path(), "9.jnl", LENGTH);
        let newest = journal(folder.path(), "10.jnl", LENGTH);
        let before = fs::read(&newest).unwrap();
        let untouched = hole_at(&older);
        let mut ahead = Ahead::new(folder.path().to_owned(), PIECE);
        let holes = [0, 1, PIECE, 1, PIECE].map(|bytes| {
            ahead.committed(bytes).unwrap();
            hole_at(&newest) - untouched
        });
        assert_eq!(holes, [0, PIECE, PIECE, 2 * PIECE, 2 * PIECE]);
        for _ in 0..LENGTH / PIECE {
            ahead.committed(PIECE + 1).unwrap();
        }
        assert_eq!(hole_at(&newest), LENGTH, "there is none left");
        assert_eq!(fs::read(&newest).unwrap(), before);
        assert_eq!(hole_at(&older), untouched);
    }

    #[test]
    fn a_journal_that_is_written_at_its_end_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut ahead = Ahead::new(folder.path().to_owned(), PIECE);
        ahead.committed(1).unwrap();
        let journal = journal(folder.path(), "0.jnl", 1000);
        ahead.committed(PIECE + 1).unwrap();
        assert_eq!(fs::read(&journal).unwrap(), [7; 1000]);
    }
}
