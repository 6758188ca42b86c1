//! The writer's data about the open store, and how calls and sweeps become commits.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    calls::{Answer, Call},
    replies::Replies,
};
use crate::{
    clock::Times,
    decide::{
        Admit, Counts, Decision, Forget, GiveUp, HeldId, LetterId, Log, Pay, Register, Remove,
        Replay, TakeBack, Withdraw,
    },
    history::End,
    limits,
    queue::group::{Committed, Failed, Group},
    store::{Ahead, Error, Expired, Position, Scanned, Store},
};

/// The most held events that one sweep ends, and the most orders and payments that one sweep checks.
const SWEEP: usize = 1_000;

/// An open store, with the data that the writer has read from it.
pub(in crate::queue) struct State<S> {
    /// How often the store had been opened, including the opening at which this data was read.
    pub(super) opened: u64,
    pub(in crate::queue) store: S,
    pub(in crate::queue) position: Position,
    /// The cursor at which the next sweep of orders and payments starts.
    pub(super) swept_to: Vec<u8>,
}

/// The result of a sweep.
#[derive(Default)]
pub(in crate::queue) struct Swept {
    /// How many held events ended because no payment had come.
    pub(in crate::queue) given_up: usize,
    /// How many of the checked orders are paid but not reported.
    pub(super) unreported: usize,
    /// The counts for the metrics.
    pub(super) counts: Counts,
    /// The ended events.
    pub(super) ends: BTreeMap<LetterId, End>,
}

impl<S: Store> State<S> {
    pub(in crate::queue) fn load(store: S, opened: u64) -> Result<Self, Error> {
        Ok(Self {
            opened,
            position: store.position()?,
            swept_to: Vec::new(),
            store,
        })
    }

    pub(super) fn commit(
        &mut self,
        calls: &mut Vec<Call>,
        short: bool,
        times: Times,
        replies: &mut Replies,
    ) -> Result<Committed, Failed> {
        let (store, position) = (&mut self.store, &mut self.position);
        store.begin(
            || ahead_of(calls),
            position,
            (times.stamp_ms, times.expiry_ms),
        )?;
        let mut group = Group::new(store, position, times);
        for call in calls.drain(..) {
            match call {
                Call::Enqueue(bundle) if short => bundle.refuse(),
                Call::Replay(_, answer) if short => refuse(answer),
                Call::Register(_, _, answer) if short => refuse(answer),
                Call::Pay(_, answer) if short => refuse(answer),
                Call::Probe(answer) if short => refuse(answer),
                // The store has been opened again since these events were claimed.
                Call::Settle(settlement, answer) if settlement.opened != self.opened => {
                    let _ = answer.send(Err(Error::Stopped));
                }
                call => carry_out(&mut group, call, replies)?,
            }
        }
        group.commit()
    }

    /// Removes expired entries. Does nothing if another process removes them.
    pub(in crate::queue) fn sweep(&mut self, times: Times) -> Result<Swept, Failed> {
        if !self.store.may_sweep()? {
            return Ok(Swept::default());
        }
        let before = |period_ms| times.expiry_ms.saturating_sub(period_ms);
        self.store.expire(Expired {
            keys_ms: times.expiry_ms,
            letters_ms: before(limits::DEAD_LETTER_MS),
            history_ms: before(limits::HISTORY_MS),
            hours_ms: before(limits::HOURS_MS),
        })?;
        let held = self.store.held_until(times.expiry_ms, SWEEP)?;
        let (mut orders, mut payments, mut unreported) = (Vec::new(), Vec::new(), 0);
        let mut visit = |scanned: Scanned<'_>| match scanned {
            Scanned::Order(order) if order.is_over(times.expiry_ms) => {
                orders.push(order.id().to_owned());
            }
            Scanned::Order(order) => unreported += usize::from(order.is_unreported()),
            Scanned::Payment(payment) if payment.is_over(times.expiry_ms) => {
                payments.push((payment.provider.clone(), payment.id.clone()));
            }
            Scanned::Payment(_) => {}
        };
        let next = self.store.scan(&self.swept_to, SWEEP, &mut visit)?;
        let forget = Forget {
            orders: &orders,
            payments: &payments,
        };
        let ahead = || {
            let mut reads = forget.reads();
            for held in &held {
                reads.extend(give_up(held).reads());
            }
            Ahead {
                reads,
                ..Ahead::default()
            }
        };
        let (store, position) = (&mut self.store, &mut self.position);
        store.begin(ahead, position, (times.stamp_ms, times.expiry_ms))?;
        let mut group = Group::new(store, position, times);
        let mut given_up = 0;
        for held in &held {
            let done = group.carry_out_durably(&give_up(held))?;
            given_up += usize::from(done.is_ok_and(|is_given_up| is_given_up));
        }
        // If one order or payment of this sweep cannot be removed, none of them is removed. The next sweep over them
        // tries again.
        let _ = group.carry_out(&forget)?;
        group.note_time();
        let Committed { counts, ends, .. } = group.commit()?;
        self.swept_to = next;
        Ok(Swept {
            given_up,
            unreported,
            counts,
            ends,
        })
    }
}

fn give_up((id, order_id): &(HeldId, String)) -> GiveUp<'_> {
    let id = *id;
    GiveUp { id, order_id }
}

/// Returns the records that the calls can read, and the destinations of settled events.
fn ahead_of(calls: &[Call]) -> Ahead {
    let Ahead {
        mut reads,
        mut settled,
    } = Ahead::default();
    for call in calls {
        match call {
            Call::Enqueue(bundle) => {
                for events in bundle.calls() {
                    reads.extend(Admit(events).reads());
                }
            }
            Call::Settle(settlement, _) => {
                settled.insert(Arc::clone(&settlement.lane.destination));
                for (_, letter) in &settlement.letters {
                    reads.extend(TakeBack(letter).reads());
                }
            }
            // The orders of replayed letters become known only when the letters are read, so only the letters are named
            // here.
            Call::Replay(ids, _) | Call::Remove(ids, _) => reads.extend(Remove(ids).reads()),
            Call::Register(order, reports, _) => {
                reads.extend(Register { order, reports }.reads());
            }
            Call::Pay(receipt, _) => reads.extend(Pay(receipt).reads()),
            Call::Withdraw(order_id, _) => reads.extend(Withdraw(order_id).reads()),
            Call::Log(..) | Call::Probe(_) | Call::Sweep | Call::Look | Call::Close(_) => {}
        }
    }
    Ahead { reads, settled }
}

/// Carries out a call in the open commit, and keeps the answer until the commit is written.
fn carry_out<S: Store>(
    group: &mut Group<'_, S>,
    call: Call,
    replies: &mut Replies,
) -> Result<(), Failed> {
    match call {
        Call::Enqueue(bundle) => {
            let results = bundle
                .calls()
                .map(|events| group.carry_out_durably(&Admit(events)))
                .collect::<Result<_, Error>>()?;
            replies.enqueued.push((bundle, results));
        }
        Call::Settle(settlement, answer) => {
            if group.settle(*settlement)? {
                replies.done.push(answer);
            } else {
                let _ = answer.send(Err(Error::Stopped));
            }
        }
        Call::Replay(ids, answer) => {
            let letters = group.letters(&ids)?;
            let replayed = group.carry_out_durably(&Replay(&letters))?;
            replies.counted.push((answer, replayed));
        }
        Call::Remove(ids, answer) => {
            let removed = group.carry_out_durably(&Remove(&ids))?;
            replies.counted.push((answer, removed));
        }
        Call::Register(order, reports, answer) => {
            let registered = group.carry_out_noted(&Register {
                order: &order,
                reports: &reports,
            })?;
            replies.registered.push((answer, registered));
        }
        Call::Pay(receipt, answer) => {
            let taken = group.carry_out_noted(&Pay(&receipt))?;
            replies.paid.push((answer, taken));
        }
        Call::Withdraw(order_id, answer) => {
            let withdrawn = group.carry_out_durably(&Withdraw(&order_id))?;
            replies.withdrawn.push((answer, withdrawn));
        }
        Call::Log(logged, answer) => {
            let (entry, number, fingerprints) = &*logged;
            // This entry is synced together with the next commit that is synced.
            let _ = group.carry_out(&Log {
                entry,
                number: *number,
                fingerprints: fingerprints.as_ref(),
            })?;
            replies.done.push(answer);
        }
        Call::Probe(answer) => {
            group.probe();
            replies.done.push(answer);
        }
        Call::Sweep | Call::Look | Call::Close(_) => {}
    }
    Ok(())
}

fn refuse<T>(answer: Answer<T>) {
    // The caller may have stopped waiting.
    let _ = answer.send(Err(Error::DiskFull));
}
