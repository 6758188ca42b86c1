//! A queue on one of the stores, run step by step.

use std::{iter, sync::Arc};

use duet_proxy::{
    decide::{Class, LetterId},
    outcome::Outcome,
    queue::{self, Core, DeadLetters, Intake, Lane, Limits, Outlet},
    store::{Error, Source},
};

use super::{
    Harm, Strike,
    acts::{Act, ORDERS, by_card, destination, entry, receipt, registration},
};
use crate::{
    clock,
    sight::sight,
    task::{self, Task},
};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A queue on one of the stores. The tests run it step by step.
pub(super) struct Queue<S: Source> {
    source: S,
    parts: Option<(Core<S>, Intake, Outlet, DeadLetters)>,
    lane: Option<Lane>,
}

impl<S: Source> Queue<S> {
    pub(super) fn over(source: S) -> Self {
        let mut queue = Self {
            source,
            parts: None,
            lane: None,
        };
        queue.restart();
        queue
    }

    pub(super) fn restart(&mut self) {
        self.lane = None;
        self.parts = None;
        let parts = queue::over(self.source.clone(), clock::read, Arc::default());
        self.parts = Some(parts.unwrap());
    }

    pub(super) fn parts(&mut self) -> &mut (Core<S>, Intake, Outlet, DeadLetters) {
        self.parts.as_mut().unwrap()
    }

    pub(super) fn start(&mut self, act: &Act) -> Option<Task<String>> {
        let (_, intake, _, letters) = self.parts();
        let (intake, letters) = (intake.clone(), letters.clone());
        let task = match act.clone() {
            Act::Send(sent) => {
                let entries: Vec<_> = sent.iter().map(entry).collect();
                Task::start(async move { format!("{:?}", intake.enqueue(entries).await) })
            }
            Act::Card(card) => {
                let receipt = by_card(&card);
                Task::start(async move { format!("{:?}", intake.orders().pay(receipt).await) })
            }
            Act::Register(order, amount, code) => Task::start(async move {
                let orders = intake.orders();
                let registered =
                    orders.register(registration(order, amount, code), destination().into());
                format!(
                    "{:?}",
                    registered
                        .await
                        .map(|registered| registered.map(|order| order.status()))
                )
            }),
            Act::Pay(order, id, amount) => Task::start(async move {
                format!(
                    "{:?}",
                    intake.orders().pay(receipt(order, id, amount)).await
                )
            }),
            Act::Withdraw(order) => Task::start(async move {
                let withdrawn = intake.orders().withdraw(ORDERS[order].to_owned()).await;
                format!("{withdrawn:?}")
            }),
            Act::Replay | Act::Remove => {
                // The dead letters' numbers depend on how calls are grouped into commits, so sort the letters by their content.
                let mut newest = letters.newest(100).unwrap();
                newest.sort_by_cached_key(|(_, letter)| format!("{letter:?}"));
                let ids: Vec<LetterId> = newest.iter().map(|(id, _)| *id).collect();
                let removes = matches!(act, Act::Remove);
                Task::start(async move {
                    let done = if removes {
                        letters.remove(&ids).await
                    } else {
                        letters.replay(&ids).await
                    };
                    format!("{done:?}")
                })
            }
            Act::Deliver { .. } | Act::Hours(_) => return None,
        };
        task.ok()
    }

    /// Carries out some calls in one commit and returns the replies.
    pub(super) fn together(&mut self, acts: &[Act]) -> Vec<String> {
        let mut tasks: Vec<_> = acts.iter().map(|act| self.start(act)).collect();
        self.parts().0.turn(usize::MAX, false);
        let replies = tasks.iter_mut();
        replies
            .map(|task| task.as_mut().and_then(Task::reply).unwrap_or_default())
            .collect()
    }

    /// Claims some events and ends a part of them. Returns the texts of the ended events.
    pub(super) fn deliver(&mut self, most: usize, bits: u8, dead: bool) -> Vec<String> {
        if self.source.is_shared() {
            self.parts().0.look();
        }
        let (_, _, outlet, _) = self.parts();
        if let Some(lane) = outlet.lane_now() {
            self.lane = Some(lane);
        }
        let Some(mut lane) = self.lane.take() else {
            return Vec::new();
        };
        // The store may have been opened again since the lane was used.
        lane.rewind();
        let limits = Limits {
            events: most,
            bytes: usize::MAX,
        };
        let mut ended = Vec::new();
        for class in Class::ALL {
            read_ahead(&mut lane, limits);
            let Some(batch) = lane.claim(class, limits).unwrap() else {
                continue;
            };
            let mut events = batch.events;
            let mut index = 0;
            events.retain(|_| {
                index += 1;
                bits >> (index - 1) & 1 == 1
            });
            ended.extend(
                events
                    .iter()
                    .map(|event| String::from_utf8_lossy(event.event()).into_owned()),
            );
            let at_ms = lane.clock().stamp_ms();
            let outcome = if dead { Outcome::Expired } else { delivered() };
            let settling = async move {
                let settled = lane.settle(&events, &outcome, at_ms).await;
                (lane, settled)
            };
            let (given_back, settled) = match Task::start(settling) {
                Err(over) => over,
                Ok(mut task) => {
                    self.parts().0.turn(usize::MAX, false);
                    task.reply().unwrap()
                }
            };
            settled.unwrap();
            lane = given_back;
        }
        lane.rewind();
        self.lane = Some(lane);
        ended
    }

    /// Returns how many pending events are withdrawn, and how many are not.
    pub(super) fn withdrawn(&mut self) -> (usize, usize) {
        let (_, _, outlet, _) = self.parts();
        let mut lane = outlet.lane_now().or(self.lane.take()).unwrap();
        lane.rewind();
        let limits = Limits {
            events: 100,
            bytes: usize::MAX,
        };
        let mut events = Vec::new();
        for class in Class::ALL {
            read_ahead(&mut lane, limits);
            events.extend(lane.claim(class, limits).unwrap().map(|batch| batch.events));
        }
        let withdrawn = |event: &&_| lane.is_withdrawn(event);
        let (withdrawn, others): (Vec<_>, Vec<_>) = events.iter().flatten().partition(withdrawn);
        let counts = (withdrawn.len(), others.len());
        lane.rewind();
        self.lane = Some(lane);
        counts
    }

    /// Commits a change that needs a sync. The sync also covers all earlier commits.
    pub(super) fn sync(&mut self, amount: usize) {
        let amount = 1_000 + i64::try_from(amount).unwrap();
        let synced = Act::Register(ORDERS.len() - 1, amount, None);
        self.together(&[synced]);
    }

    /// If the disk has failed, opens the store again and again until this succeeds.
    pub(super) fn recover(&mut self) {
        loop {
            let intake = self.parts().1.clone();
            let Ok(mut task) = Task::start(async move { intake.is_writable().await }) else {
                return;
            };
            self.parts().0.turn(usize::MAX, false);
            if task.reply() == Some(true) {
                return;
            }
        }
    }

    pub(super) fn sweep(&mut self) {
        self.parts().0.turn(usize::MAX, true);
    }

    pub(super) fn sight(mut self) -> Result<String, Error> {
        self.lane = None;
        self.parts = None;
        let store = self.source.open()?;
        sight(&self.source, &store)
    }
}

/// Reads the next events of a lane. Only a store that several proxies share needs this.
fn read_ahead(lane: &mut Lane, limits: Limits) {
    task::at_once(lane.read_ahead(limits)).unwrap().unwrap();
}

fn delivered() -> Outcome {
    Outcome::Delivered(duet_proxy::tiktok::Verdict {
        code: 0,
        message: "OK".to_owned(),
        request_id: None,
    })
}

/// Carries out the calls in groups of these sizes, and returns the replies. After a group with an even size, the process
/// restarts.
pub(super) fn replies<S: Source>(
    queue: &mut Queue<S>,
    acts: &[Act],
    groups: &[usize],
) -> Vec<String> {
    replies_on(queue, acts, groups, iter::empty(), &())
}

/// Does the same as [`replies`] on a disk that fails. For each commit, `harms` states how the disk fails while the commit
/// is written. After the commit, the disk works again. Before the disk fails, all earlier data is synced, because the
/// embedded store's own threads could otherwise sync it at any time.
pub(super) fn replies_on<S: Source>(
    queue: &mut Queue<S>,
    acts: &[Act],
    groups: &[usize],
    mut harms: impl Iterator<Item = Option<Harm>>,
    disk: &impl Strike,
) -> Vec<String> {
    clock::start();
    let mut replies = Vec::new();
    let mut groups = groups.iter().cycle();
    let mut rest = acts;
    while !rest.is_empty() {
        let size = groups.next().copied().unwrap_or(1);
        // These actions are carried out alone, between two commits.
        let alone = |act: &Act| {
            matches!(
                act,
                Act::Deliver { .. } | Act::Hours(_) | Act::Replay | Act::Remove
            )
        };
        let together = rest.iter().take(size.max(1));
        let count = together.take_while(|act| !alone(act)).count().max(1);
        let (now, later) = rest.split_at(count);
        match &now[0] {
            Act::Deliver { most, bits, dead } => replies.extend(queue.deliver(*most, *bits, *dead)),
            Act::Hours(hours) => {
                clock::pass(hours * HOUR_MS);
                queue.sweep();
            }
            _ => {
                if let Some(harm) = harms.next() {
                    queue.sync(rest.len());
                    disk.strike(harm);
                }
                replies.extend(queue.together(now));
                disk.heal();
                queue.recover();
            }
        }
        if size % 2 == 0 {
            queue.restart();
        }
        rest = later;
    }
    replies
}
