//! Dead letters for operators: events that ended without being delivered. They are read, replayed and removed in pages,
//! so that memory and commits stay small, and events can be accepted between two pages.

use std::sync::Arc;

use super::{
    blocking,
    writer::{Answer, Call, Handle},
};
use crate::{
    decide::{DeadLetter, LetterId},
    store::{Error, Most, Reader},
};

/// The size of a page. One commit replays or removes one page.
const PAGE: Most = Most {
    count: 500,
    bytes: 1_000_000,
};
/// The most letters that one commit handles if the operator names them by their ids. The limit is a number of letters,
/// because the sizes of these letters are not known in advance.
const NAMED_AT_ONCE: usize = 100;

/// The dead letters, for an operator.
#[derive(Clone)]
pub struct DeadLetters {
    store: Arc<dyn Reader>,
    writer: Handle,
}

/// The error of a command that stopped before all of its work was done. The operator can run the same command again to do
/// the rest.
#[derive(Debug, thiserror::Error)]
#[error(
    "{error}; dead letters replayed or removed before the error: {done}; run the same command again for the rest"
)]
pub struct Interrupted {
    /// How many letters the command had replayed or removed.
    pub done: usize,
    /// Why the command stopped.
    #[source]
    pub error: Error,
}

impl DeadLetters {
    pub(super) fn new(store: Arc<dyn Reader>, writer: Handle) -> Self {
        Self { store, writer }
    }

    /// Returns at most `most` letters, the newest first. The caller must not call this on the runtime's thread, because
    /// it reads from the disk.
    ///
    /// # Errors
    /// [`Error::Store`] if the disk fails.
    pub fn newest(&self, most: usize) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        let most = Most {
            count: most,
            bytes: usize::MAX,
        };
        self.store.letters(None, most)
    }

    /// Returns a page of letters, the newest first. With `before`, returns the letters before this one, else the first
    /// page. After the last page, returns an empty page. The caller must not call this on the runtime's thread, because
    /// it reads from the disk.
    ///
    /// # Errors
    /// [`Error::Store`] if the disk fails.
    pub fn page(&self, before: Option<LetterId>) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        self.store.letters(before, PAGE)
    }

    /// Returns the letter with this id. The caller must not call this on the runtime's thread, because it reads from the
    /// disk.
    ///
    /// # Errors
    /// [`Error::Store`] if the disk fails.
    pub fn find(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.store.letter(id)
    }

    /// Puts letters back into the queue. Returns how many of the events are sent or held again. These events have 7 more
    /// days to be delivered.
    ///
    /// # Errors
    /// [`Interrupted`], which contains an error of [`Intake::enqueue`](super::Intake::enqueue).
    pub async fn replay(&self, letters: &[LetterId]) -> Result<usize, Interrupted> {
        self.each(letters, Call::Replay).await
    }

    /// Removes letters for good, and returns how many were found.
    ///
    /// # Errors
    /// [`Interrupted`], which contains [`Error::Stopped`], if the disk fails.
    pub async fn remove(&self, letters: &[LetterId]) -> Result<usize, Interrupted> {
        self.each(letters, Call::Remove).await
    }

    /// Does what [`DeadLetters::replay`] does for every letter, or for every letter of one pixel, from the oldest on. If
    /// TikTok refuses an event again while the command runs, the event stays a dead letter.
    ///
    /// # Errors
    /// The same as those of [`DeadLetters::replay`].
    pub async fn replay_all(&self, pixel_id: Option<String>) -> Result<usize, Interrupted> {
        self.all(Call::Replay, pixel_id).await
    }

    /// Does what [`DeadLetters::remove`] does for every letter, or for every letter of one pixel.
    ///
    /// # Errors
    /// The same as those of [`DeadLetters::remove`].
    pub async fn remove_all(&self, pixel_id: Option<String>) -> Result<usize, Interrupted> {
        self.all(Call::Remove, pixel_id).await
    }

    async fn each(
        &self,
        letters: &[LetterId],
        call: fn(Vec<LetterId>, Answer<usize>) -> Call,
    ) -> Result<usize, Interrupted> {
        let mut done = 0;
        for letters in letters.chunks(NAMED_AT_ONCE) {
            let answered = self.writer.ask(|answer| call(letters.to_vec(), answer));
            done += answered
                .await
                .map_err(|error| Interrupted { done, error })?;
        }
        Ok(done)
    }

    async fn all(
        &self,
        call: fn(Vec<LetterId>, Answer<usize>) -> Call,
        pixel_id: Option<String>,
    ) -> Result<usize, Interrupted> {
        let mut done = 0;
        match self.walk(call, pixel_id, &mut done).await {
            Ok(()) => Ok(done),
            Err(error) => Err(Interrupted { done, error }),
        }
    }

    async fn walk(
        &self,
        call: fn(Vec<LetterId>, Answer<usize>) -> Call,
        pixel_id: Option<String>,
        done: &mut usize,
    ) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        // Events that are accepted or replayed from now on get this number or a higher one. If such an event becomes a
        // dead letter, the command skips it. Otherwise the command could replay refused events for ever.
        let end = blocking(move || store.place()).await?.next;
        let mut after = None;
        loop {
            let store = Arc::clone(&self.store);
            let page = blocking(move || store.letter_ids(after, PAGE)).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            let mut letters: Vec<_> = page.into_iter().filter(|id| id.sequence() < end).collect();
            if let Some(pixel_id) = pixel_id.clone() {
                let store = Arc::clone(&self.store);
                letters = blocking(move || of_pixel(&*store, letters, &pixel_id)).await?;
            }
            *done += self.writer.ask(|answer| call(letters, answer)).await?;
        }
    }
}

/// Returns the letters that belong to this pixel.
fn of_pixel(
    store: &dyn Reader,
    mut letters: Vec<LetterId>,
    pixel_id: &str,
) -> Result<Vec<LetterId>, Error> {
    let mut failed = Ok(());
    letters.retain(|id| match store.letter(*id) {
        Ok(letter) => letter.is_some_and(|letter| letter.destination.pixel_id == pixel_id),
        Err(error) => {
            failed = Err(error);
            false
        }
    });
    failed.map(|()| letters)
}
