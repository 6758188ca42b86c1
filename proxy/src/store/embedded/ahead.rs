//! Writes zeros ahead of the journal's end, so that a sync of new data need not allocate blocks.
//!
//! fjall creates a journal with its final length and without blocks. A sync of data in such a file also has to write the
//! file system's own records. A sync of data that overwrites zeros does not.
//!
//! The zeros must never overwrite data. Nobody but the caller's thread appends to the journal while this code runs,
//! except that fjall's own thread may write what is left in its buffer of 8 KiB. The zeros therefore begin [`GAP`] bytes
//! behind the last written block.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{SeekFrom, seek},
    io::Errno,
};

use super::journal;

/// How many zeros are written at a time.
const PIECE: usize = 1024 * 1024;
/// The distance between the last written block and the zeros.
const GAP: u64 = 64 * 1024;

/// Writes zeros into the journals of one folder.
pub(super) struct Ahead {
    folder: Arc<PathBuf>,
    zeros: Vec<u8>,
    /// How many bytes can be committed before zeros are written again.
    left: usize,
}

impl Ahead {
    pub(super) fn new(folder: Arc<PathBuf>) -> Self {
        Self {
            folder,
            zeros: vec![0; PIECE],
            left: 0,
        }
    }

    /// Counts about this number of committed bytes, and writes zeros if the last zeros are nearly used up. The zeros only
    /// save time, so this function ignores a failure. If the disk has failed, the next commit returns the error.
    pub(super) fn committed(&mut self, bytes: usize) {
        if bytes <= self.left {
            self.left -= bytes;
            return;
        }
        self.left = PIECE;
        let _ = write(&self.folder, &self.zeros);
    }
}

/// Writes the zeros into the last journal. Writes nothing if the journal does not end with a hole.
fn write(folder: &Path, zeros: &[u8]) -> io::Result<()> {
    let numbers = journal::numbers(folder).map_err(io::Error::other)?;
    let Some(number) = numbers.last().copied() else {
        return Ok(());
    };
    let file = File::options()
        .write(true)
        .open(journal::path(folder, number))?;
    let length = file.metadata()?.len();
    let written = seek(&file, SeekFrom::Hole(0))?;
    let start = written.saturating_add(GAP);
    let is_free = seek(&file, SeekFrom::Data(written)) == Err(Errno::NXIO);
    let fits = start.saturating_add(zeros.len() as u64) <= length;
    if is_free && fits {
        file.write_all_at(zeros, start)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LENGTH: u64 = 8 * PIECE as u64;

    /// Makes a journal that begins with data and has no blocks behind the data.
    fn journal(folder: &Path, number: u64) -> File {
        let path = journal::path(folder, number);
        fs::write(&path, [7; 1000]).unwrap();
        let file = File::options().read(true).write(true).open(path).unwrap();
        file.set_len(LENGTH).unwrap();
        file
    }

    /// Returns how many bytes of the file have blocks.
    fn blocks(file: &File) -> u64 {
        let (mut bytes, mut at) = (0, 0);
        while let Ok(start) = seek(file, SeekFrom::Data(at)) {
            at = seek(file, SeekFrom::Hole(start)).unwrap();
            bytes += at - start;
        }
        bytes
    }

    #[test]
    fn zeros_are_written_into_the_last_journal_before_the_committed_bytes_need_them() {
        let folder = tempfile::tempdir().unwrap();
        let older = journal(folder.path(), 9);
        let last = journal(folder.path(), 10);
        let before = [blocks(&older), blocks(&last)];
        let piece = PIECE as u64;
        let mut ahead = Ahead::new(Arc::new(folder.path().to_owned()));
        let written = [1, 1000, PIECE - 1000].map(|bytes| {
            ahead.committed(bytes);
            blocks(&last) - before[1]
        });
        assert_eq!(written, [piece; 3]);
        // The data now fills the gap and the zeros.
        last.write_all_at(&vec![7; PIECE + usize::try_from(GAP).unwrap()], 0)
            .unwrap();
        ahead.committed(1);
        assert_eq!(blocks(&last) - before[1], 2 * piece + GAP);
        assert_eq!(blocks(&older), before[0]);
    }

    #[test]
    fn no_written_byte_and_no_length_changes_and_the_gap_stays_free() {
        let folder = tempfile::tempdir().unwrap();
        let file = journal(folder.path(), 0);
        let path = journal::path(folder.path(), 0);
        let before = fs::read(&path).unwrap();
        let mut ahead = Ahead::new(Arc::new(folder.path().to_owned()));
        for _ in 0..20 {
            ahead.committed(PIECE + 1);
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        let hole = seek(&file, SeekFrom::Hole(0)).unwrap();
        assert!(seek(&file, SeekFrom::Data(hole)).unwrap() - hole >= GAP);
    }

    #[test]
    fn a_journal_without_free_blocks_at_its_end_and_an_empty_folder_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut ahead = Ahead::new(Arc::new(folder.path().to_owned()));
        ahead.committed(1);
        let path = journal::path(folder.path(), 0);
        fs::write(&path, [7; 1000]).unwrap();
        ahead.committed(PIECE + 1);
        assert_eq!(fs::read(path).unwrap(), [7; 1000]);
    }
}
