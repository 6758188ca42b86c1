//! The errors of the store.

use std::{io, path::PathBuf};

use crate::decide::Fault;

/// An error of the store, or of the queue on top of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the folder open.
    #[error("another process is using the data directory")]
    Locked,
    /// Another version of the proxy has written the folder.
    #[error(
        "the data directory has format {found}, this version reads format {known}; use the version that wrote it"
    )]
    Format {
        /// The format in the folder.
        found: u32,
        /// The format that this version reads.
        known: u32,
    },
    /// Too many calls wait for the disk.
    #[error("too many events are waiting to be written")]
    Full,
    /// An event cannot be written as JSON.
    #[error("the event cannot be written as JSON")]
    Unwritable,
    /// Less space is free on the disk than must be kept free.
    #[error("the disk is nearly full")]
    DiskFull,
    /// A write has failed, and the store could not be opened again yet.
    #[error("the store accepts no writes at the moment")]
    Stopped,
    /// The disk or the store failed.
    #[error("the store failed")]
    Store(#[source] fjall::Error),
    /// The file system failed.
    #[error("the data directory cannot be used")]
    Folder(#[source] io::Error),
    /// A journal is damaged before its end.
    #[error(
        "the data directory is damaged: {} does not read back from byte {at} on; restore the data directory from a copy, or give up the data from that byte on: truncate that file to {at} bytes and remove the file contents", file.display()
    )]
    Damaged {
        /// The file name of the journal.
        file: PathBuf,
        /// How many bytes at the start of the journal are intact.
        at: u64,
    },
    /// A file is missing or damaged.
    #[error(
        "the data directory is damaged: {} is missing or not as it was written; restore the data directory from a copy", file.display()
    )]
    Unreadable {
        /// The path of the file in the folder.
        file: PathBuf,
    },
    /// The database did not answer in time, or another transaction held a lock for too long.
    #[error("the database did not answer in time")]
    Timeout,
    /// The database failed, or cannot be reached.
    #[error("the database failed: {0}")]
    Database(String),
    /// The database does not promise what the proxy promises, or another version wrote it.
    #[error("the database cannot be used: {0}")]
    Unsuitable(String),
    /// The contents were moved elsewhere, or are being moved, or cannot be moved.
    #[error("{0}")]
    Move(String),
    /// The roots for TLS cannot be read.
    #[error("the certificates for the database cannot be read")]
    Certificates(#[source] io::Error),
    /// A stored entry cannot be read.
    #[error("a stored record cannot be read")]
    Corrupt,
}

impl Error {
    /// Returns whether the disk failed, so that nothing could be written. Returns false if only one call or one row is faulty.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Unwritable | Self::Corrupt => false,
            // A block that cannot be read is damaged, but the file system did not fail.
            Self::Store(fjall::Error::Storage(error)) => matches!(error, fjall::LsmError::Io(_)),
            _ => true,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unwritable => Self::Unwritable,
            Fault::Corrupt => Self::Corrupt,
        }
    }
}

impl From<fjall::Error> for Error {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Locked,
            fjall::Error::Io(error) => Self::Folder(error),
            other => Self::Store(other),
        }
    }
}
