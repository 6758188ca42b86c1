//! The file through which a test commands the library: where each number stands. Numbers are 8 bytes long and in the
//! machine's own byte order, since both sides map or write the same memory.

/// How long the file is.
pub(crate) const BYTES: usize = 4096;
/// How far the wall clock is moved, in milliseconds, signed.
pub(crate) const CLOCK_OFFSET_MS: usize = 0;
/// Not 0: the power goes.
pub(crate) const POWER_CUT: usize = 8;
/// How many of the next calls fail; [`ALL`] of them.
pub(crate) const LEFT: usize = 0;
/// As many as [`LEFT`] can say.
pub(crate) const ALL: u64 = u64::MAX;
/// How many calls have failed on command.
pub(crate) const FAILED: usize = 8;
/// The error that a failing call returns.
pub(crate) const ERRNO: usize = 16;
/// Not 0: a failing call leaves nothing of the data.
pub(crate) const DROPPED: usize = 24;
/// Only calls on a path that contains this text fail; it ends with a zero.
pub(crate) const WITHIN: usize = 32;
/// How long that text may be, with the zero.
pub(crate) const WITHIN_BYTES: usize = 96;

/// A call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `fsync`, on files and folders.
    Fsync,
    /// `fdatasync`.
    Fdatasync,
    /// `write` and its kin.
    Write,
    /// `rename` and its kin; the path is the new name.
    Rename,
}

impl Call {
    /// Where its own numbers begin.
    pub(crate) const fn at(self) -> usize {
        64 + self as usize * (WITHIN + WITHIN_BYTES)
    }
}
