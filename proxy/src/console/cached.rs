//! Keeps for a moment the values that were read from the disk. If several pages show the same value, it is read only once. The
//! longer a reading takes, the more rarely it is repeated.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::queue::{self, Error};

/// The shortest time for which a value is used.
const AT_LEAST: Duration = Duration::from_millis(500);
/// A value is used for this many times the duration of its reading, so reading takes at most about a twentieth of one
/// processor's time.
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
    /// Returns the last value. If the last value is too old, calls `read` for a new one. Callers that ask at the same time wait
    /// for the same reading.
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

    /// Forgets the value. The caller must call this after it has changed the data on the disk.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}
