//! The commands of the test: the control file, mapped into memory, and the folder whose files the commands concern.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::Write as _,
    os::{fd::AsRawFd, unix::ffi::OsStringExt},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
};

use libc::c_int;

use crate::{
    cache::Cache,
    layout::{self, Call},
};

static FAULTS: OnceLock<Faults> = OnceLock::new();

pub(crate) struct Faults {
    pub(crate) control: Control,
    folder: Vec<u8>,
    cache: Mutex<Cache>,
}

impl Faults {
    /// Reads the environment variables. Returns whether they are set and the control file could be mapped.
    pub(crate) fn start() -> bool {
        let variables = (env::var_os("FAULTS_CONTROL"), env::var_os("FAULTS_FOLDER"));
        let (Some(control), Some(folder)) = variables else {
            return false;
        };
        let Some(control) = Control::open(control) else {
            return false;
        };
        FAULTS
            .set(Self {
                control,
                folder: folder.into_vec(),
                cache: Mutex::default(),
            })
            .is_ok()
    }

    pub(crate) fn get() -> Option<&'static Self> {
        FAULTS.get()
    }

    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cut_power_if_told();
        self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watches(&self, path: &[u8]) -> bool {
        let below = path.strip_prefix(self.folder.as_slice());
        below.is_some_and(|below| below.is_empty() || below.starts_with(b"/"))
    }

    /// If the test has commanded a loss of power, ends the process and takes back all data that no sync has written.
    pub(crate) fn cut_power_if_told(&self) {
        if self.control.number(layout::POWER_CUT).swap(0, SeqCst) == 0 {
            return;
        }
        let mut cache = self.lock();
        cache.cut_power();
        // SAFETY: the call ends the process. The lock is held until then, so no other thread writes.
        unsafe { libc::syscall(libc::SYS_exit_group, 137) };
    }
}

/// How a call must fail.
pub(crate) struct Fault {
    pub(crate) errno: c_int,
    pub(crate) is_dropped: bool,
}

/// The control file, mapped into memory until the process ends.
pub(crate) struct Control {
    start: &'static [u8; layout::BYTES],
}

impl Control {
    fn open(path: OsString) -> Option<Self> {
        let file = File::options().read(true).write(true).open(path).ok()?;
        // SAFETY: the mapping is new, is shared only with the test, and is never removed. The library reads atomics from
        // it, and bytes that the test has written before it sets the number of failing calls.
        let start = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let (flags, fd) = (libc::MAP_SHARED, file.as_raw_fd());
            let start = libc::mmap(
                std::ptr::null_mut(),
                layout::BYTES,
                protection,
                flags,
                fd,
                0,
            );
            if start == libc::MAP_FAILED {
                return None;
            }
            &*start.cast()
        };
        Some(Self { start })
    }

    fn number(&self, at: usize) -> &AtomicU64 {
        // SAFETY: the address is inside the mapping and aligned. Every other reference to these bytes is to an atomic, too.
        unsafe { &*self.start.as_ptr().add(at).cast() }
    }

    pub(crate) fn clock_offset_ms(&self) -> i64 {
        // SAFETY: as in `number`.
        let offset: &AtomicI64 =
            unsafe { &*self.start.as_ptr().add(layout::CLOCK_OFFSET_MS).cast() };
        offset.load(SeqCst)
    }

    /// Returns how the call must fail, or `None` if it must succeed. `path` is the path of the call.
    pub(crate) fn fault(&self, call: Call, path: &[u8]) -> Option<Fault> {
        let at = call.at();
        let left = self.number(at + layout::LEFT);
        if left.load(SeqCst) == 0 || !self.is_within(call, path) {
            return None;
        }
        let one_less = |left| match left {
            0 => None,
            layout::ALL => Some(left),
            _ => Some(left - 1),
        };
        left.fetch_update(SeqCst, SeqCst, one_less).ok()?;
        self.number(at + layout::FAILED).fetch_add(1, SeqCst);
        Some(Fault {
            errno: self.number(at + layout::ERRNO).load(SeqCst) as c_int,
            is_dropped: self.number(at + layout::DROPPED).load(SeqCst) != 0,
        })
    }

    fn is_within(&self, call: Call, path: &[u8]) -> bool {
        let text = self.start.iter().skip(call.at() + layout::WITHIN);
        let mut within = [0; layout::WITHIN_BYTES];
        let mut length = 0;
        for (to, byte) in within.iter_mut().zip(text.take_while(|byte| **byte != 0)) {
            *to = *byte;
            length += 1;
        }
        let within = within.get(..length).unwrap_or_default();
        within.is_empty() || path.windows(length).any(|part| part == within)
    }
}

/// The path of an open file, stored without an allocation.
pub(crate) struct Path {
    bytes: [u8; 1024],
    length: usize,
}

impl Path {
    pub(crate) fn of(fd: c_int) -> Option<Self> {
        let mut link = [0; 32];
        write!(link.as_mut_slice(), "/proc/self/fd/{fd}\0").ok()?;
        let mut bytes = [0; 1024];
        // SAFETY: `link` ends with a zero, and the buffer is given with its length.
        let length =
            unsafe { libc::readlink(link.as_ptr().cast(), bytes.as_mut_ptr().cast(), bytes.len()) };
        let length = usize::try_from(length).ok()?;
        Some(Self { bytes, length })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
