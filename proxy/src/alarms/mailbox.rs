//! Keeps two lists in one file of the data directory: the alarms that are on, and the messages that the receiver has not
//! accepted yet.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Message, Watch, facts::Facts, post::NotSent};

const NAME: &str = "alarms.json";
const NEW_NAME: &str = "alarms.json.new";
/// The pause after the first failed attempt to send a message. Each further pause is twice as long as the pause before.
const FIRST_PAUSE_MS: i64 = 10_000;
const LONGEST_PAUSE_MS: i64 = 5 * 60_000;

/// The alarms and their messages.
pub struct Mailbox {
    folder: PathBuf,
    kept: Kept,
    failures: u32,
    /// When the next message can be sent, by the clock of [`Facts::now_ms`].
    next_ms: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    watch: Watch,
    messages: VecDeque<Message>,
}

impl Mailbox {
    /// Reads the file in the data directory. If the file cannot be read, no alarm is on at first. An alarm whose condition
    /// holds then begins once more, with another message.
    pub fn open(folder: &Path) -> Self {
        let kept = match fs::read(folder.join(NAME)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(error),
        };
        Self {
            folder: folder.to_owned(),
            kept: kept.unwrap_or_else(|error| {
                tracing::warn!(%error, file = NAME, "the stored alarms cannot be read, so the proxy starts without them; an alarm whose cause remains begins again, and its message is sent a second time");
                Kept::default()
            }),
            failures: 0,
            next_ms: i64::MIN,
        }
    }

    /// Adds a message for each alarm that begins or ends with these facts. `day_ms` is the time that the messages state.
    pub fn observe(&mut self, facts: &Facts, day_ms: i64) {
        let had_pixel = self.kept.watch.has_pixel();
        let changes = self.kept.watch.observe(facts);
        if changes.is_empty() && had_pixel == self.kept.watch.has_pixel() {
            return;
        }
        for change in changes {
            let (alarm, subject) = (change.alarm.kind.name(), &change.alarm.subject);
            if change.begins {
                tracing::warn!(alarm, subject, "an alarm has begun");
            } else {
                tracing::info!(alarm, subject, "an alarm has ended");
            }
            let mut random = [0; 16];
            // If the system has no random bytes, the id is made from the time and the number of waiting messages.
            if getrandom::fill(&mut random).is_err() {
                let (time, number) = (day_ms.unsigned_abs(), self.kept.messages.len());
                random = (u128::from(time) << 64 | number as u128).to_be_bytes();
            }
            let message = Message::new(&change, day_ms, random);
            self.kept.messages.push_back(message);
        }
        self.keep();
    }

    /// Returns the oldest message, if it can be sent now.
    pub fn due(&self, now_ms: i64) -> Option<&Message> {
        self.kept
            .messages
            .front()
            .filter(|_| now_ms >= self.next_ms)
    }

    /// Applies the result of sending the oldest message. After a failure, [`Mailbox::due`] returns the message again after a
    /// pause.
    pub fn sent(&mut self, result: Result<(), NotSent>, now_ms: i64) {
        match result {
            Ok(()) => {
                self.failures = 0;
                self.next_ms = i64::MIN;
                self.kept.messages.pop_front();
                self.keep();
            }
            Err(reason) => {
                let pause_ms = FIRST_PAUSE_MS << self.failures.min(5);
                self.failures += 1;
                self.next_ms = now_ms + pause_ms.min(LONGEST_PAUSE_MS);
                tracing::warn!(%reason, "the receiver at DUET_ALERT_URL has not accepted an alarm's message; the proxy will send the message again");
            }
        }
    }

    fn keep(&self) {
        if let Err(error) = self.write() {
            tracing::warn!(%error, file = NAME, "the alarms and their messages cannot be stored; a restart would lose them");
        }
    }

    fn write(&self) -> io::Result<()> {
        let new = self.folder.join(NEW_NAME);
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(&self.kept)?)?;
        file.sync_all()?;
        fs::rename(&new, self.folder.join(NAME))?;
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::facts::Legs;

    fn unreported(now_ms: i64, orders: u64) -> Facts {
        Facts {
            now_ms,
            paid_unreported: Some(orders),
            ..Facts::default()
        }
    }

    #[test]
    fn messages_survive_a_restart_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut mailbox = Mailbox::open(folder.path());
        mailbox.observe(&unreported(0, 1), 1_767_323_045_000);
        let first = mailbox.due(0).unwrap().clone();
        drop(mailbox);
        let mut mailbox = Mailbox::open(folder.path());
        // The alarm is still on, so it does not begin again.
        mailbox.observe(&unreported(1_000, 1), 1_767_323_046_000);
        mailbox.observe(&unreported(2_000, 0), 1_767_323_047_000);
        mailbox.observe(&unreported(302_000, 0), 1_767_323_347_000);
        assert_eq!(mailbox.due(302_000), Some(&first));
        mailbox.sent(Ok(()), 302_000);
        assert!(mailbox.due(302_000).unwrap().body.contains("alarm.ended"));
        mailbox.sent(Ok(()), 302_000);
        assert_eq!(mailbox.due(302_000), None);
        assert_eq!(Mailbox::open(folder.path()).due(0), None);
    }

    #[test]
    fn a_receiver_that_is_down_gets_the_message_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut mailbox = Mailbox::open(folder.path());
        mailbox.observe(&unreported(0, 1), 1_767_323_045_000);
        let (mut now_ms, mut pauses) = (0, Vec::new());
        for _ in 0..8 {
            mailbox.sent(Err(NotSent::TimedOut), now_ms);
            let before_ms = now_ms;
            while mailbox.due(now_ms).is_none() {
                now_ms += 1_000;
            }
            pauses.push((now_ms - before_ms) / 1_000);
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300]);
        mailbox.sent(Ok(()), now_ms);
        assert_eq!(mailbox.due(now_ms), None);
    }

    #[test]
    fn a_pixel_that_is_gone_after_a_restart_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let of = |now_ms, fired, missing| Facts {
            now_ms,
            legs: Legs { fired, missing },
            ..Facts::default()
        };
        Mailbox::open(folder.path()).observe(&of(0, 1, 0), 1_767_323_045_000);
        let mut mailbox = Mailbox::open(folder.path());
        mailbox.observe(&of(1_000, 0, 20), 1_767_323_046_000);
        let message = mailbox.due(1_000).unwrap();
        assert!(message.body.contains("pixel_gone"), "{}", message.body);
    }

    #[test]
    fn a_damaged_file_costs_only_what_it_stored() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "{").unwrap();
        let mut mailbox = Mailbox::open(folder.path());
        mailbox.observe(&unreported(0, 1), 1_767_323_045_000);
        assert!(mailbox.due(0).is_some());
    }
}
