//! The pages of files that a loss of power would take back, with what the disk has of them.
//!
//! A write makes its pages dirty. A sync that works writes the dirty pages. One that fails calls them clean: they are
//! read as before, but no later sync writes them, unless somebody writes to them again. A file's length counts as written
//! with the next sync that works; names and the cutting off of an end, at once.

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
    /// By device and inode.
    files: HashMap<(u64, u64), Cached>,
}

struct Cached {
    /// A descriptor of our own: the process may have closed its own, or may not read through it.
    file: File,
    /// How long the file is on the disk.
    length: u64,
    pages: BTreeMap<u64, Page>,
}

struct Page {
    on_disk: Vec<u8>,
    is_dirty: bool,
}

impl Cache {
    /// A write of so many bytes is about to happen, at `at` or where the descriptor stands.
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

    /// The file is about to be given this length.
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

    /// A sync failed, and the data is still read.
    pub(crate) fn call_clean(&mut self, fd: c_int) {
        self.change(fd, |cached| {
            for page in cached.pages.values_mut() {
                page.is_dirty = false;
            }
        });
    }

    /// A sync failed, and the data is gone.
    pub(crate) fn drop_unsynced(&mut self, fd: c_int) {
        self.change(fd, |cached| {
            cached.take_back(|page| page.is_dirty);
            cached.pages.retain(|_, page| !page.is_dirty);
        });
    }

    /// Leaves of every file what the disk has.
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
                // SAFETY: a buffer and its length. The functions of this library would count it as a write.
                unsafe { libc::syscall(libc::SYS_pwrite64, fd, from, length, start) };
            }
        }
        // SAFETY: as above.
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

/// Where a write through this descriptor goes.
fn place(fd: c_int) -> Option<off_t> {
    // SAFETY: numbers only.
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
    // SAFETY: a struct of numbers, which may be zero and is written here.
    let about = unsafe {
        if libc::fstat(fd, about.as_mut_ptr()) != 0 {
            return None;
        }
        about.assume_init()
    };
    (about.st_mode & libc::S_IFMT == libc::S_IFREG).then_some((about.st_dev, about.st_ino))
}
