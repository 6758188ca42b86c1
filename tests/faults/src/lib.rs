//! Makes a process's calls to the disk fail on command, and moves its wall clock.
//!
//! The dynamic linker loads this library before all others (`LD_PRELOAD`), so that the process calls this library instead
//! of the C library. The functions do the same as those of the C library, except when the control file commands a failure
//! (see [`layout`]; tests write the file with `duet_tests::Faults`). Calls fail only on files below one folder. Only the
//! wall clock is moved: the clocks that measure durations stay unchanged.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `FAULTS_CONTROL` | the control file, [`layout::BYTES`] long |
//! | `FAULTS_FOLDER` | the folder whose files can be made to fail |
//!
//! The library remembers the data that no sync has written yet (see [`cache`]), because a failed sync has a later effect
//! too. After a failed sync, Linux still returns the new data to every reader, but marks it as clean and never writes it to
//! the disk. Therefore, if a sync fails and its data is *kept*, the process can read the data, but a loss of power removes
//! it, even after later syncs that succeed. If a sync fails and its data is *dropped*, the data is lost at once.
//!
//! The library cannot replace `rename` in the same way, because the crates behind the store make this system call without
//! the C library. A seccomp filter catches the call (see [`renames`]).
#![cfg(target_os = "linux")]
#![allow(
    unsafe_code,
    reason = "the library replaces functions of the C library, and no test links it"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_safety_doc,
    clippy::undocumented_unsafe_blocks,
    reason = "the documentation of the C library describes these functions and their safety, and the linker finds them by name"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_lossless,
    reason = "the types of the C library differ between machines"
)]

use std::{ffi::CStr, mem::MaybeUninit};

use libc::{c_int, c_long, iovec, off_t, off64_t, size_t, ssize_t, time_t, timespec, timeval};

use control::{Faults, Path};
use layout::Call;

mod cache;
mod control;
mod layout;
mod renames;

#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn at_start() {
        if Faults::start() {
            renames::catch();
        }
    }
    at_start
};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    sync(Call::Fsync, fd, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(Call::Fdatasync, fd, libc::SYS_fdatasync)
}

fn sync(call: Call, fd: c_int, number: c_long) -> c_int {
    // SAFETY: the system call that the caller wants, with the caller's own argument.
    let real = || unsafe { libc::syscall(number, fd) };
    let Some((faults, path)) = watched(fd) else {
        return narrow(real());
    };
    let mut cache = faults.cache();
    match faults.control.fault(call, path.bytes()) {
        None => {
            let done = real();
            if done == 0 {
                cache.synced(fd);
            }
            narrow(done)
        }
        Some(fault) => {
            if fault.is_dropped {
                cache.drop_unsynced(fd);
            } else {
                cache.call_clean(fd);
            }
            fail(fault.errno)
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, from: *const u8, length: size_t) -> ssize_t {
    written(fd, length, None, || {
        // SAFETY: the system call that the caller wants, with the caller's own arguments. The same is true for the other
        // writes below.
        unsafe { libc::syscall(libc::SYS_write, fd, from, length) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, from: *const u8, length: size_t, at: off_t) -> ssize_t {
    written(fd, length, Some(at), || unsafe {
        libc::syscall(libc::SYS_pwrite64, fd, from, length, at)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    fd: c_int,
    from: *const u8,
    length: size_t,
    at: off64_t,
) -> ssize_t {
    // SAFETY: the caller's own arguments.
    unsafe { pwrite(fd, from, length, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    let length = unsafe { length_of(pieces, count) };
    written(fd, length, None, || unsafe {
        libc::syscall(libc::SYS_writev, fd, pieces, count)
    })
}

unsafe fn length_of(pieces: *const iovec, count: c_int) -> size_t {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller of `writev` must pass `count` pieces.
    let pieces = unsafe { std::slice::from_raw_parts(pieces, count) };
    pieces.iter().map(|piece| piece.iov_len).sum()
}

fn written(fd: c_int, length: size_t, at: Option<off_t>, real: impl FnOnce() -> c_long) -> ssize_t {
    let Some((faults, path)) = watched(fd) else {
        return real() as ssize_t;
    };
    let mut cache = faults.cache();
    let fault = faults.control.fault(Call::Write, path.bytes());
    if let Some(fault) = &fault
        && fault.is_dropped
    {
        return fail(fault.errno) as ssize_t;
    }
    cache.before_write(fd, at, length);
    let done = real();
    fault.map_or(done, |fault| c_long::from(fail(fault.errno))) as ssize_t
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, length: off_t) -> c_int {
    // SAFETY: the system call that the caller wants, with the caller's own arguments.
    let real = || unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) };
    let Some((faults, _)) = watched(fd) else {
        return narrow(real());
    };
    let mut cache = faults.cache();
    cache.before_truncate(fd, u64::try_from(length).unwrap_or(0));
    narrow(real())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { ftruncate(fd, length) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, to: *mut timespec) -> c_int {
    // SAFETY: the system call that the caller wants, with the caller's own arguments.
    let done = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, to) };
    let Some(faults) = Faults::get() else {
        return narrow(done);
    };
    if done == 0 && matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE) {
        let offset_ms = faults.control.clock_offset_ms();
        // SAFETY: the system call has just written to `to`.
        let to = unsafe { &mut *to };
        let nanos = to.tv_nsec + offset_ms.rem_euclid(1000) * 1_000_000;
        to.tv_sec += offset_ms.div_euclid(1000) + nanos / 1_000_000_000;
        to.tv_nsec = nanos % 1_000_000_000;
    }
    faults.cut_power_if_told();
    narrow(done)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(to: *mut timeval, _zone: *mut libc::c_void) -> c_int {
    let now = wall_clock();
    if !to.is_null() {
        // SAFETY: the pointer comes from the caller and is not null.
        unsafe {
            *to = timeval {
                tv_sec: now.tv_sec,
                tv_usec: now.tv_nsec / 1000,
            };
        }
    }
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(to: *mut time_t) -> time_t {
    let seconds = wall_clock().tv_sec;
    if !to.is_null() {
        // SAFETY: the pointer comes from the caller and is not null.
        unsafe { *to = seconds };
    }
    seconds
}

fn wall_clock() -> timespec {
    let mut now = MaybeUninit::zeroed();
    // SAFETY: the struct has only numbers, so zeros are valid. `clock_gettime` fills it.
    unsafe {
        clock_gettime(libc::CLOCK_REALTIME, now.as_mut_ptr());
        now.assume_init()
    }
}

/// Returns the path of an open file if the file is below the folder. The function must not allocate or lock: the caller can
/// be the handler of a signal that writes to a socket, and such a handler must not do either.
fn watched(fd: c_int) -> Option<(&'static Faults, Path)> {
    let faults = Faults::get()?;
    let path = Path::of(fd)?;
    faults.watches(path.bytes()).then_some((faults, path))
}

/// Returns the path in a C string if the path is below the folder.
unsafe fn watched_name<'a>(name: *const libc::c_char) -> Option<(&'static Faults, &'a CStr)> {
    let faults = Faults::get()?;
    // SAFETY: the caller of `rename` must pass a string that ends with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    faults.watches(name.to_bytes()).then_some((faults, name))
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: the address of this thread's own `errno`.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// Converts the result of `syscall` for a call that returns an `int`.
fn narrow(done: c_long) -> c_int {
    done as c_int
}
