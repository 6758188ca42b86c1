//! The part for operators: events that ended without being delivered. Any number of them is read, replayed and removed
//! in pages, so that memory and every commit stay small, and events are accepted in between.

use std::sync::Arc;

use super::{
    blocking,
    writer::{Answer, Call, Handle},
};
use crate::{
    decide::{DeadLetter, LetterId},
    store::{Error, Most, Reader},
};

/// A page of letters: what one commit replays or removes.
const PAGE: Most = Most {
    count: 500,
    bytes: 1_000_000,
};
/// The most letters that one commit takes by their ids: how large each is, is not known before.
const NAMED_AT_ONCE: usize = 100;

/// Dead letters, for an operator.
#[derive(Clone)]
pub struct DeadLetters {
    store: Arc<dyn Reader>,
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
    pub(super) fn new(store: Arc<dyn Reader>, writer: Handle) -> Self {
        Self { store, writer }
    }

    /// The newest letters first, at most `most` of them. Reads from the disk, and so does not belong on the runtime's
    /// thread.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn newest(&self, most: usize) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        let most = Most {
            count: most,
            bytes: usize::MAX,
        };
        self.store.letters(None, most)
    }

    /// A page of letters, the newest first: those before `before`, or the first page. Empty after the last one. Reads
    /// from the disk, and so does not belong on the runtime's thread.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn page(&self, before: Option<LetterId>) -> Result<Vec<(LetterId, DeadLetter)>, Error> {
        self.store.letters(before, PAGE)
    }

    /// The letter with this id. Reads from the disk, as [`DeadLetters::page`].
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn find(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.store.letter(id)
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
        let store = Arc::clone(&self.store);
        // What is accepted or replayed from now on has a number behind this one. If it becomes a dead letter under way,
        // it stays one: a command that chases what TikTok refuses would never end.
        let end = blocking(move || store.next_number()).await?;
        let mut after = None;
        loop {
            let store = Arc::clone(&self.store);
            let page = blocking(move || store.letter_ids(after, PAGE)).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            let letters = page.into_iter().filter(|id| id.sequence() < end).collect();
            *done += self.writer.ask(|answer| call(letters, answer)).await?;
        }
    }
}
