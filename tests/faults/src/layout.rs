//! The positions of the numbers in the file through which a test commands the library. Each number has 8 bytes in the
//! machine's own byte order, because the library and the test run on the same machine.

/// The length of the file in bytes.
pub(crate) const BYTES: usize = 4096;
/// The offset of the wall clock from the real time, in milliseconds, with a sign.
pub(crate) const CLOCK_OFFSET_MS: usize = 0;
/// Another value than 0 commands a loss of power.
pub(crate) const POWER_CUT: usize = 8;
/// How many of the next calls fail. [`ALL`] makes every call fail.
pub(crate) const LEFT: usize = 0;
/// The largest value of [`LEFT`]. This value does not count down.
pub(crate) const ALL: u64 = u64::MAX;
/// How many calls have failed on a command.
pub(crate) const FAILED: usize = 8;
/// The error that a failing call returns.
pub(crate) const ERRNO: usize = 16;
/// Another value than 0 means that a failing call loses its data.
pub(crate) const DROPPED: usize = 24;
/// A text that ends with a zero. Only calls whose path contains this text fail.
pub(crate) const WITHIN: usize = 32;
/// The space for that text, including the zero at its end.
pub(crate) const WITHIN_BYTES: usize = 96;

/// A call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `fsync`, on files and folders.
    Fsync,
    /// `fdatasync`.
    Fdatasync,
    /// `write` and its variants, such as `pwrite`.
    Write,
    /// `rename` and its variants, such as `renameat`. The path of the call is the new name.
    Rename,
}

impl Call {
    /// The position at which the numbers of this call begin.
    pub(crate) const fn at(self) -> usize {
        64 + self as usize * (WITHIN + WITHIN_BYTES)
    }
}
