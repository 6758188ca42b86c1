//! Makes the disk of a process fail on command, and moves its wall clock.
//!
//! The dynamic linker loads this library before all others (`LD_PRELOAD`), so that the process calls it where it means
//! the C library. It does what the C library would, unless the control file says otherwise (see [`layout`]; tests write
//! it through `duet_tests::Faults`). Only files below one folder are touched, and only the wall clock is moved:
//! clocks that measure durations are not.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `FAULTS_CONTROL` | the control file, [`layout::BYTES`] long |
//! | `FAULTS_FOLDER` | the folder whose files can be made to fail |
//!
//! A page cache is kept of what no sync has written yet (see [`cache`]), because a failed sync is not the end of it:
//! Linux gives the data to whoever reads the file, calls it clean, and never writes it. So a sync that fails with its
//! data *kept* leaves data that is read back and gone once the power goes, whatever is synced later; with its data
//! *dropped* it is gone at once.
//!
//! `rename` cannot be replaced in the same way, since the crates behind the store make that system call themselves. A
//! seccomp filter catches it (see [`renames`]).
#![cfg(target_os = "linux")]
#![allow(
    unsafe_code,
    reason = "it takes the place of functions of the C library, and no test links it"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_safety_doc,
    clippy::undocumented_unsafe_blocks,
    reason = "the linker is the caller, and what the functions do and ask for is what the C library says"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_lossless,
    reason = "the C library's own types differ between machines"
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
    // SAFETY: the call itself, with the caller's own argument.
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
        // SAFETY: the call itself, with the caller's own arguments; so below.
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
    // SAFETY: as above.
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
    // SAFETY: the caller of `writev` gives `count` pieces.
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
    // SAFETY: the call itself, with the caller's own arguments.
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
    // SAFETY: as above.
    unsafe { ftruncate(fd, length) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, to: *mut timespec) -> c_int {
    // SAFETY: the call itself, with the caller's own arguments.
    let done = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, to) };
    let Some(faults) = Faults::get() else {
        return narrow(done);
    };
    if done == 0 && matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE) {
        let offset_ms = faults.control.clock_offset_ms();
        // SAFETY: the call has just written it.
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
        // SAFETY: the caller's own, and not null.
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
        // SAFETY: the caller's own, and not null.
        unsafe { *to = seconds };
    }
    seconds
}

fn wall_clock() -> timespec {
    let mut now = MaybeUninit::zeroed();
    // SAFETY: a struct of numbers, which may be zero and is written here.
    unsafe {
        clock_gettime(libc::CLOCK_REALTIME, now.as_mut_ptr());
        now.assume_init()
    }
}

/// The path of an open file below the folder. Until that is known nothing is allocated or locked, since a signal's
/// handler may be the caller, with a socket.
fn watched(fd: c_int) -> Option<(&'static Faults, Path)> {
    let faults = Faults::get()?;
    let path = Path::of(fd)?;
    faults.watches(path.bytes()).then_some((faults, path))
}

/// The path that a C string says, where it is below the folder.
unsafe fn watched_name<'a>(name: *const libc::c_char) -> Option<(&'static Faults, &'a CStr)> {
    let faults = Faults::get()?;
    // SAFETY: the caller of `rename` gives a string.
    let name = unsafe { CStr::from_ptr(name) };
    faults.watches(name.to_bytes()).then_some((faults, name))
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: this thread's own number.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// What `syscall` returns for calls that return an `int`.
fn narrow(done: c_long) -> c_int {
    done as c_int
}
