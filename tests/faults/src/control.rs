//! What the test says: the control file in memory, and the folder that it is about.

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
    /// Reads the variables; whether they say that there is something to do.
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

    /// Ends the process as a loss of power would: what no sync has written is gone.
    pub(crate) fn cut_power_if_told(&self) {
        if self.control.number(layout::POWER_CUT).swap(0, SeqCst) == 0 {
            return;
        }
        let mut cache = self.lock();
        cache.cut_power();
        // SAFETY: it ends the process; the lock is held, so that no other thread writes meanwhile.
        unsafe { libc::syscall(libc::SYS_exit_group, 137) };
    }
}

/// How a call is to fail.
pub(crate) struct Fault {
    pub(crate) errno: c_int,
    pub(crate) is_dropped: bool,
}

/// The control file, mapped: it is there until the process ends.
pub(crate) struct Control {
    start: &'static [u8; layout::BYTES],
}

impl Control {
    fn open(path: OsString) -> Option<Self> {
        let file = File::options().read(true).write(true).open(path).ok()?;
        // SAFETY: a mapping of its own, shared with the test; all that is read of it are atomics, and bytes that are
        // written before the number that makes them matter.
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
        // SAFETY: within the mapping and aligned; nobody has a reference to these bytes but as an atomic.
        unsafe { &*self.start.as_ptr().add(at).cast() }
    }

    pub(crate) fn clock_offset_ms(&self) -> i64 {
        // SAFETY: as above.
        let offset: &AtomicI64 =
            unsafe { &*self.start.as_ptr().add(layout::CLOCK_OFFSET_MS).cast() };
        offset.load(SeqCst)
    }

    /// Whether this call on this path is one of those that fail.
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

/// The path of an open file, without an allocation.
pub(crate) struct Path {
    bytes: [u8; 1024],
    length: usize,
}

impl Path {
    pub(crate) fn of(fd: c_int) -> Option<Self> {
        let mut link = [0; 32];
        write!(link.as_mut_slice(), "/proc/self/fd/{fd}\0").ok()?;
        let mut bytes = [0; 1024];
        // SAFETY: a string that ends with a zero, and a buffer with its length.
        let length =
            unsafe { libc::readlink(link.as_ptr().cast(), bytes.as_mut_ptr().cast(), bytes.len()) };
        let length = usize::try_from(length).ok()?;
        Some(Self { bytes, length })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
