//! Alarms: the conditions that an operator must know about. Duet posts one message when an alarm begins, and another message
//! when the alarm ends.
//!
//! [`facts`] lists what an alarm can depend on, and [`Watch`] decides which alarms are on. Both are pure. [`measure`] collects
//! the facts from the running proxy. [`mailbox`] keeps the messages on disk until the receiver has accepted them, so no message
//! is lost while the receiver is down or the proxy restarts.
//!
//! [`Kind`] lists all alarms. The sentence, the advice and the limits of each kind are in [`Kind`] or in [`Watch`].

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::time::{self, MissedTickBehavior};

use crate::{app::Shared, config::Alerts};

pub mod facts;
mod kind;
mod mailbox;
mod measure;
mod message;
pub mod paid;
mod post;
pub mod silence;
mod watch;

pub use kind::Kind;
pub use mailbox::Mailbox;
pub use message::Message;
pub use post::SetUp;
pub use watch::{Alarm, Change, Watch};

use measure::Measure;
use post::Post;

/// How often the alarms are checked and the messages are sent.
const CHECK_EVERY: Duration = Duration::from_secs(15);

/// Watches a running proxy.
pub struct Alarms {
    mailbox: Mailbox,
    post: Post,
    measure: Measure,
}

impl Alarms {
    /// Prepares the alarms of a proxy whose data directory is `folder`.
    ///
    /// # Errors
    /// [`SetUp`] if HTTPS cannot be set up.
    pub fn new(
        settings: &Alerts,
        folder: PathBuf,
        reserve_bytes: u64,
        app: Arc<Shared>,
    ) -> Result<Self, SetUp> {
        Ok(Self {
            mailbox: Mailbox::open(&folder),
            post: Post::new(settings)?,
            measure: Measure::new(app, folder, reserve_bytes),
        })
    }

    /// Checks the alarms and sends the messages until the task is aborted.
    pub async fn run(mut self) {
        let mut checks = time::interval(CHECK_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            checks.tick().await;
            let facts = self.measure.facts().await;
            let day_ms = self.measure.day_ms();
            self.mailbox.observe(&facts, day_ms);
            while let Some(message) = self.mailbox.due(facts.now_ms) {
                let sent = self.post.send(message, day_ms).await;
                self.mailbox.sent(sent, facts.now_ms);
            }
        }
    }
}
