//! Catches `rename`, which the store's crates ask of the kernel without the C library.
//!
//! The filter answers the system call with a signal, and the signal's handler does the call or fails it. What the
//! handler itself asks carries a mark in an argument that the kernel does not read.

use std::{mem::MaybeUninit, ptr};

use libc::{c_int, c_long, c_void, sock_filter, sock_fprog};

use crate::{layout::Call, watched_name};

const MARK: u32 = 0x00d0_e7fa;
/// Where the number of the call and the mark stand in what a filter sees.
const NUMBER: u32 = 0;
const LAST_ARGUMENT: u32 = 16 + 5 * 8;

/// From now on, in this thread and those that it starts.
pub(crate) fn catch() {
    // SAFETY: a handler that only makes system calls and reads atomics, and a filter of this function's own.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSYS, &raw const action, ptr::null_mut());
        let mut filter = filter();
        let program = sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_mut_ptr(),
        };
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        );
    }
}

fn filter() -> Vec<sock_filter> {
    let load = |at| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    let is = |value, yes, no| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, yes, no, value);
    let give = |value| step(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    let mut filter = vec![load(NUMBER)];
    let left = calls().len() as u8;
    for (index, number) in calls().iter().enumerate() {
        // Behind the comparisons stands the way out, and behind that the look at the mark.
        filter.push(is(*number as u32, left - index as u8, 0));
    }
    filter.extend([
        give(libc::SECCOMP_RET_ALLOW),
        load(LAST_ARGUMENT),
        is(MARK, 0, 1),
        give(libc::SECCOMP_RET_ALLOW),
        give(libc::SECCOMP_RET_TRAP),
    ]);
    filter
}

fn step(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}

#[cfg(target_arch = "x86_64")]
fn calls() -> &'static [c_long] {
    &[libc::SYS_rename, libc::SYS_renameat, libc::SYS_renameat2]
}

#[cfg(not(target_arch = "x86_64"))]
fn calls() -> &'static [c_long] {
    &[libc::SYS_renameat, libc::SYS_renameat2]
}

/// What a call was asked for with: its number and its first arguments; and where its result goes.
#[cfg(target_arch = "x86_64")]
fn registers(context: &mut libc::ucontext_t) -> (c_long, [i64; 5], &mut i64) {
    let all = &mut context.uc_mcontext.gregs;
    let at = |register: c_int| all.get(register as usize).copied().unwrap_or(0);
    let arguments = [
        libc::REG_RDI,
        libc::REG_RSI,
        libc::REG_RDX,
        libc::REG_R10,
        libc::REG_R8,
    ]
    .map(at);
    let number = at(libc::REG_RAX);
    #[allow(clippy::indexing_slicing, reason = "a register of every such machine")]
    (number, arguments, &mut all[libc::REG_RAX as usize])
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &mut libc::ucontext_t) -> (c_long, [i64; 5], &mut u64) {
    let all = &mut context.uc_mcontext.regs;
    let [first, second, third, fourth, fifth, ..] = *all;
    let number = all.get(8).copied().unwrap_or(0) as c_long;
    let arguments = [first, second, third, fourth, fifth].map(|value| value as i64);
    #[allow(clippy::indexing_slicing, reason = "a register of every such machine")]
    (number, arguments, &mut all[0])
}

unsafe extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives the registers of the thread that it stopped in the midst of the call.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let (number, [first, second, third, fourth, fifth], result) = registers(context);
    let here = i64::from(libc::AT_FDCWD);
    let (from_folder, from, to_folder, to, flags) = match number {
        libc::SYS_renameat => (first, second, third, fourth, 0),
        libc::SYS_renameat2 => (first, second, third, fourth, fifth),
        _ => (here, first, here, second, 0),
    };
    // SAFETY: the caller's own arguments.
    let fault = unsafe { watched_name(to as *const libc::c_char) }
        .and_then(|(faults, name)| faults.control.fault(Call::Rename, name.to_bytes()));
    let real = || unsafe {
        let number = libc::SYS_renameat2;
        match libc::syscall(
            number,
            from_folder,
            from,
            to_folder,
            to,
            flags,
            c_long::from(MARK),
        ) {
            -1 => -i64::from(*libc::__errno_location()),
            done => done,
        }
    };
    *result = match fault {
        None => real(),
        Some(fault) => {
            if !fault.is_dropped {
                real();
            }
            -i64::from(fault.errno)
        }
    } as _;
}
