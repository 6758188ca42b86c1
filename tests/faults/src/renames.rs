//! Catches the system call `rename`, which the store's crates make without the C library.
//!
//! The filter turns the system call into a signal. The signal's handler makes the call itself, or fails it. The handler
//! marks its own system call with a number in an argument that the kernel ignores, so that the filter lets this call pass.

use std::{mem::MaybeUninit, ptr};

use libc::{c_int, c_long, c_void, sock_filter, sock_fprog};

use crate::{layout::Call, watched_name};

const MARK: u32 = 0x00d0_e7fa;
/// The positions of the call's number and of its last argument in the data that a filter gets.
const NUMBER: u32 = 0;
const LAST_ARGUMENT: u32 = 16 + 5 * 8;

/// Starts catching in this thread and in all threads that it starts later.
pub(crate) fn catch() {
    // SAFETY: the handler only makes system calls and reads atomics. The filter is built by this function and lives until
    // the call returns.
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
        // If the number matches, jump over the other comparisons and over the step that allows the call, to the step that
        // reads the mark.
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

/// Returns the registers of the caught call: its number, its first five arguments, and the register for its result.
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
    #[allow(
        clippy::indexing_slicing,
        reason = "every machine of this kind has this register"
    )]
    (number, arguments, &mut all[libc::REG_RAX as usize])
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &mut libc::ucontext_t) -> (c_long, [i64; 5], &mut u64) {
    let all = &mut context.uc_mcontext.regs;
    let [first, second, third, fourth, fifth, ..] = *all;
    let number = all.get(8).copied().unwrap_or(0) as c_long;
    let arguments = [first, second, third, fourth, fifth].map(|value| value as i64);
    #[allow(
        clippy::indexing_slicing,
        reason = "every machine of this kind has this register"
    )]
    (number, arguments, &mut all[0])
}

unsafe extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes the registers of the thread that made the caught call.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let (number, [first, second, third, fourth, fifth], result) = registers(context);
    let here = i64::from(libc::AT_FDCWD);
    let (from_folder, from, to_folder, to, flags) = match number {
        libc::SYS_renameat => (first, second, third, fourth, 0),
        libc::SYS_renameat2 => (first, second, third, fourth, fifth),
        _ => (here, first, here, second, 0),
    };
    // SAFETY: the path is the caller's own argument.
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
