//! Keeps what was read from the disk for a moment. Several pages that show the same numbers cause one read, and a large store is
//! read more rarely than a small one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::queue::{self, Error};

/// How long a value is used at least.
const AT_LEAST: Duration = Duration::from_millis(500);
/// A value is used for this many times the duration of its reading. Reading therefore takes a twentieth of one processor at
/// most.
const TIMES: u32 = 20;

/// A value that was read from the disk.
pub(super) struct Cached<T>(Mutex<Option<Read<T>>>);

struct Read<T> {
    value: Arc<T>,
    until: Instant,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Send + Sync + 'static> Cached<T> {
    /// Returns the value, from `read` if the last one is too old. Callers that ask at the same time wait for one reading.
    pub(super) async fn value(
        &self,
        read: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<Arc<T>, Error> {
        let mut last = self.0.lock().await;
        let since = Instant::now();
        if let Some(read) = last.as_ref().filter(|read| since < read.until) {
            return Ok(Arc::clone(&read.value));
        }
        let value = Arc::new(queue::blocking(read).await?);
        let took = since.elapsed();
        *last = Some(Read {
            value: Arc::clone(&value),
            until: Instant::now() + AT_LEAST.max(took * TIMES),
        });
        Ok(value)
    }

    /// Forgets the value, because it has changed.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
