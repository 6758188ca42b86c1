//! The errors of the store.

use std::{io, path::PathBuf};

use crate::decide::Fault;

/// An error of the store, or of the queue on top of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the folder open.
    #[error("another process is using the data directory; stop that process first")]
    Locked,
    /// Another version of the proxy has written the folder, and this version cannot read that format.
    #[error(
        "the data directory has format {found}, but this version of duet-proxy reads format {known}; use the version that wrote the data directory"
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
    /// A write has failed, and the store is not open again yet.
    #[error("the store accepts no writes at the moment")]
    Stopped,
    /// The disk or the store failed.
    #[error("the store failed")]
    Store(#[source] fjall::Error),
    /// The file system failed.
    #[error("the data directory cannot be used")]
    Folder(#[source] io::Error),
    /// A journal is damaged, and the damage is not an unfinished write at its end.
    #[error(
        "the data directory is damaged: {} does not read back from byte {at} on; restore the data directory from a copy. To give up the data from that byte on instead, truncate this file to {at} bytes, and delete the file named `contents` in the data directory", file.display()
    )]
    Damaged {
        /// The file name of the journal.
        file: PathBuf,
        /// How many bytes at the start of the journal are intact.
        at: u64,
    },
    /// A file is missing or damaged.
    #[error(
        "the data directory is damaged: {} is missing, or its contents have changed since they were written; restore the data directory from a copy", file.display()
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
    /// The settings of the database do not protect committed data as the proxy promises, or another version wrote the
    /// tables.
    #[error("the database cannot be used: {0}")]
    Unsuitable(String),
    /// The contents were moved elsewhere, or a move has not finished, or a move is not possible.
    #[error("{0}")]
    Move(String),
    /// The root certificates for TLS connections to the database cannot be read.
    #[error("the certificates for the database cannot be read")]
    Certificates(#[source] io::Error),
    /// A stored entry cannot be read.
    #[error("a stored record cannot be read")]
    Corrupt,
}

impl Error {
    /// Returns whether the disk or the database failed, so that no call could be written. Returns false if only one call or
    /// one row is faulty.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Unwritable | Self::Corrupt => false,
            // An error of this kind that is not an I/O error means a damaged block. The file system itself did not fail.
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
