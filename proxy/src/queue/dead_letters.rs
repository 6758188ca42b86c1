//! The part for operators: events that ended without being delivered. Any number of them is read, replayed and removed
//! in pages, so that memory and every commit stay small, and events are accepted in between.

use tokio::task;

use super::{
    Error,
    disk::{Store, Tables},
    letter::{DeadLetter, LetterId},
    writer::{Answer, Call, Handle},
};

/// The most letters of a page, and about the most bytes: what one commit replays or removes.
const PAGE_LETTERS: usize = 500;
const PAGE_BYTES: usize = 1_000_000;
/// The most letters that one commit takes by their ids: how large each is, is not known before.
const NAMED_AT_ONCE: usize = 100;

/// Dead letters, for an operator.
#[derive(Clone)]
pub struct DeadLetters {
    store: Store,
    writer: Handle,
}

/// A command that ended early. The same command, given again, does the rest.
#[derive(Debug, thiserror::Error)]
#[error("{error}; dead letters done before that: {done}; the same command does the rest")]
pub struct Interrupted {
    /// How many letters it had replayed or removed.
    pub done: usize,
    /// Why it ended.
    #[source]
    pub error: Error,
}

impl DeadLetters {
    pub(super) fn new(store: Store, writer: Handle) -> Self {
        Self { store, writer }
    }

    /// The newest letters first, at most `most` of them. Reads from the disk, and so does not belong on the runtime's
    /// thread.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn newest(&self, most: usize) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        self.store.tables()?.letters(None).take(most).collect()
    }

    /// A page of letters, the newest first: those before `before`, or the first page. Empty after the last one. Reads
    /// from the disk, and so does not belong on the runtime's thread.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn page(&self, before: Option<LetterId>) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        let mut page = Vec::new();
        let mut bytes = 0;
        for letter in self.store.tables()?.letters(before).take(PAGE_LETTERS) {
            let (id, letter) = letter?;
            bytes += letter.event.get().len();
            page.push((id, letter));
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        Ok(page)
    }

    /// The letter with this id. Reads from the disk, as [`DeadLetters::page`].
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn find(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.store.tables()?.letter(id)
    }

    /// Puts letters back into the queue, with another 7 days to be delivered; how many of them there were.
    ///
    /// # Errors
    /// [`Interrupted`] by what [`Intake::enqueue`](super::Intake::enqueue) may answer.
    pub async fn replay(&self, letters: &[LetterId]) -> Result<usize, Interrupted> {
        self.each(letters, Call::Replay).await
    }

    /// Removes letters for good; how many of them there were.
    ///
    /// # Errors
    /// [`Interrupted`] by [`Error::Stopped`] when the disk refuses.
    pub async fn remove(&self, letters: &[LetterId]) -> Result<usize, Interrupted> {
        self.each(letters, Call::Remove).await
    }

    /// As [`DeadLetters::replay`], every letter, the oldest first. An event that TikTok refuses again meanwhile stays
    /// a dead letter.
    ///
    /// # Errors
    /// As [`DeadLetters::replay`].
    pub async fn replay_all(&self) -> Result<usize, Interrupted> {
        self.all(Call::Replay).await
    }

    /// As [`DeadLetters::remove`], every letter.
    ///
    /// # Errors
    /// As [`DeadLetters::remove`].
    pub async fn remove_all(&self) -> Result<usize, Interrupted> {
        self.all(Call::Remove).await
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
    ) -> Result<usize, Interrupted> {
        let mut done = 0;
        match self.walk(call, &mut done).await {
            Ok(()) => Ok(done),
            Err(error) => Err(Interrupted { done, error }),
        }
    }

    async fn walk(
        &self,
        call: fn(Vec<LetterId>, Answer<usize>) -> Call,
        done: &mut usize,
    ) -> Result<(), Error> {
        let tables = self.store.tables()?;
        // What is accepted or replayed from now on has a number behind this one. If it becomes a dead letter under way,
        // it stays one: a command that chases what TikTok refuses would never end.
        let end = blocking(move || Ok(tables.position()?.next)).await?;
        let mut after = None;
        loop {
            let tables = self.store.tables()?;
            let page = blocking(move || page_of_ids(&tables, after)).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            let letters = page.into_iter().filter(|id| id.sequence() < end).collect();
            *done += self.writer.ask(|answer| call(letters, answer)).await?;
        }
    }
}

/// The ids of the next page behind `after`, the oldest first.
fn page_of_ids(tables: &Tables, after: Option<LetterId>) -> Result<Vec<LetterId>, Error> {
    let mut page = Vec::new();
    let mut bytes = 0;
    for letter in tables.letter_ids(after).take(PAGE_LETTERS) {
        let (id, length) = letter?;
        bytes += length;
        page.push(id);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

/// Does on a thread of its own what reads from the disk for longer than events may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Stopped))
}
