//! Remembers, for every changed page of a file, what the disk has, so that a simulated loss of power can restore it.
//!
//! A write makes its pages dirty. A successful sync writes the dirty pages to the disk. A failed sync marks the dirty pages
//! as clean: the process reads the new data as before, but a later sync writes a clean page only if the page was written
//! again. A new length of a file is on the disk after the next successful sync. New names and a shorter length are on the
//! disk at once.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    fs::File,
    mem::MaybeUninit,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use libc::{c_int, off_t, size_t};

const PAGE: u64 = 4096;

#[derive(Default)]
pub(crate) struct Cache {
    /// The files, by device and inode.
    files: HashMap<(u64, u64), Cached>,
}

struct Cached {
    /// A descriptor that belongs to this library. The process may have closed its own descriptor, or have opened it without
    /// the right to read.
    file: File,
    /// The file's length on the disk.
    length: u64,
    pages: BTreeMap<u64, Page>,
}

struct Page {
    on_disk: Vec<u8>,
    is_dirty: bool,
}

impl Cache {
    /// The caller must call this before it writes `length` bytes at `at`. Without `at`, the write goes to the descriptor's
    /// position.
    pub(crate) fn before_write(&mut self, fd: c_int, at: Option<off_t>, length: size_t) {
        let Some(start) = at.or_else(|| place(fd)) else {
            return;
        };
        let start = u64::try_from(start).unwrap_or(0);
        let Some(cached) = self.cached(fd) else {
            return;
        };
        let end = start + length as u64;
        for number in start / PAGE..end.div_ceil(PAGE) {
            let file = &cached.file;
            let page = cached.pages.entry(number).or_insert_with(|| Page {
                on_disk: read_page(file, number),
                is_dirty: true,
            });
            page.is_dirty = true;
        }
    }

    /// The caller must call this before it sets the file's length to `length`.
    pub(crate) fn before_truncate(&mut self, fd: c_int, length: u64) {
        let Some(cached) = self.cached(fd) else {
            return;
        };
        cached.length = cached.length.min(length);
        cached.pages.split_off(&length.div_ceil(PAGE));
        if let Some(page) = cached.pages.get_mut(&(length / PAGE)) {
            page.is_dirty = true;
        }
    }

    pub(crate) fn synced(&mut self, fd: c_int) {
        self.change(fd, |cached| {
            cached.pages.retain(|_, page| !page.is_dirty);
            cached.length = length(&cached.file);
        });
    }

    /// Records a failed sync after which the process can still read the data.
    pub(crate) fn call_clean(&mut self, fd: c_int) {
        self.change(fd, |cached| {
            for page in cached.pages.values_mut() {
                page.is_dirty = false;
            }
        });
    }

    /// Records a failed sync after which the data is lost.
    pub(crate) fn drop_unsynced(&mut self, fd: c_int) {
        self.change(fd, |cached| {
            cached.take_back(|page| page.is_dirty);
            cached.pages.retain(|_, page| !page.is_dirty);
        });
    }

    /// Restores every file to what the disk has.
    pub(crate) fn cut_power(&mut self) {
        for (_, cached) in self.files.drain() {
            cached.take_back(|_| true);
        }
    }

    fn change(&mut self, fd: c_int, change: impl FnOnce(&mut Cached)) {
        let Some(id) = identity(fd) else { return };
        let Some(cached) = self.files.get_mut(&id) else {
            return;
        };
        change(cached);
        if cached.pages.is_empty() && cached.length == length(&cached.file) {
            self.files.remove(&id);
        }
    }

    fn cached(&mut self, fd: c_int) -> Option<&mut Cached> {
        let id = identity(fd)?;
        match self.files.entry(id) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) => {
                let link = format!("/proc/self/fd/{fd}");
                let file = File::options().read(true).write(true).open(link).ok()?;
                Some(place.insert(Cached {
                    length: length(&file),
                    file,
                    pages: BTreeMap::new(),
                }))
            }
        }
    }
}

impl Cached {
    fn take_back(&self, is_meant: impl Fn(&Page) -> bool) {
        let fd = self.file.as_raw_fd();
        for (number, page) in &self.pages {
            let start = number * PAGE;
            if start < self.length && is_meant(page) {
                let (from, length) = (page.on_disk.as_ptr(), page.on_disk.len());
                // SAFETY: the pointer and the length describe one buffer. The system call goes past this library, because
                // the library's `pwrite` would count as a write of the process.
                unsafe { libc::syscall(libc::SYS_pwrite64, fd, from, length, start) };
            }
        }
        // SAFETY: the call has no pointers.
        unsafe { libc::syscall(libc::SYS_ftruncate, fd, self.length) };
    }
}

fn read_page(file: &File, number: u64) -> Vec<u8> {
    let mut page = vec![0; PAGE as usize];
    let mut read = 0;
    while let Some(rest) = page.get_mut(read..)
        && let Ok(more @ 1..) = file.read_at(rest, number * PAGE + read as u64)
    {
        read += more;
    }
    page
}

fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |file| file.len())
}

/// Returns the position at which the next write through this descriptor begins.
fn place(fd: c_int) -> Option<off_t> {
    // SAFETY: the calls have no pointers.
    let place = unsafe {
        let appends = libc::fcntl(fd, libc::F_GETFL) & libc::O_APPEND != 0;
        let whence = if appends {
            libc::SEEK_END
        } else {
            libc::SEEK_CUR
        };
        libc::lseek(fd, 0, whence)
    };
    (place >= 0).then_some(place)
}

fn identity(fd: c_int) -> Option<(u64, u64)> {
    let mut about = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the struct has only numbers, so zeros are valid. `fstat` fills it.
    let about = unsafe {
        if libc::fstat(fd, about.as_mut_ptr()) != 0 {
            return None;
        }
        about.assume_init()
    };
    (about.st_mode & libc::S_IFMT == libc::S_IFREG).then_some((about.st_dev, about.st_ino))
}
