//! What the writer knows of the store, and how calls and sweeps become commits.

use super::{
    calls::{Answer, Call},
    replies::Replies,
};
use crate::{
    clock::Times,
    decide::{Admit, Counts, Forget, GiveUp, Pay, Register, Remove, Replay, Withdraw},
    limits,
    orders::Order,
    queue::group::{Committed, Group},
    store::{Error, Position, Store},
};

/// The most events that one sweep gives up, and the most orders and payments it looks at.
const SWEEP: usize = 1_000;

/// What the writer knows of what is on disk.
pub(in crate::queue) struct State<S> {
    /// How often the store had been opened when this was read.
    pub(super) opened: u64,
    pub(in crate::queue) store: S,
    pub(in crate::queue) position: Position,
    /// How far the last sweep of orders came.
    pub(super) swept_to: Vec<u8>,
}

/// What a sweep came across.
pub(in crate::queue) struct Swept {
    /// Events that no payment came for.
    pub(in crate::queue) given_up: usize,
    /// Paid orders that report nothing.
    pub(super) unreported: usize,
    /// What is to be counted.
    pub(super) counts: Counts,
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
        calls: impl Iterator<Item = Call>,
        short: bool,
        times: Times,
        replies: &mut Replies,
    ) -> Result<Committed, Error> {
        let mut group = Group::new(&mut self.store, &mut self.position, times);
        for call in calls {
            match call {
                Call::Enqueue(bundle) if short => bundle.refuse(),
                Call::Replay(_, answer) if short => refuse(answer),
                Call::Register(_, _, answer) if short => refuse(answer),
                Call::Pay(_, answer) if short => refuse(answer),
                Call::Probe(answer) if short => refuse(answer),
                Call::Enqueue(bundle) => {
                    let results = bundle
                        .calls()
                        .map(|events| group.carry_out_durably(&Admit(events)))
                        .collect::<Result<_, _>>()?;
                    replies.enqueued.push((bundle, results));
                }
                // Its events were claimed from a store that has been opened again since.
                Call::Settle(settlement, answer) if settlement.opened != self.opened => {
                    let _ = answer.send(Err(Error::Stopped));
                }
                Call::Settle(settlement, answer) => {
                    group.settle(settlement)?;
                    replies.done.push(answer);
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
                Call::Register(order, destination, answer) => {
                    let registered = group.carry_out_durably(&Register {
                        order: &order,
                        destination: &destination,
                    })?;
                    replies.registered.push((answer, registered));
                }
                Call::Pay(receipt, answer) => {
                    let taken = group.carry_out_durably(&Pay(&receipt))?;
                    replies.paid.push((answer, taken));
                }
                Call::Withdraw(order_id, answer) => {
                    let withdrawn = group.carry_out_durably(&Withdraw(&order_id))?;
                    replies.withdrawn.push((answer, withdrawn));
                }
                Call::Probe(answer) => {
                    group.probe();
                    replies.done.push(answer);
                }
                Call::Sweep | Call::Close(_) => {}
            }
        }
        group.commit()
    }

    /// Clears what has had its time.
    pub(in crate::queue) fn sweep(&mut self, times: Times) -> Result<Swept, Error> {
        let letters_ms = times.expiry_ms.saturating_sub(limits::DEAD_LETTER_MS);
        self.store.expire(times.expiry_ms, letters_ms)?;
        let held = self.store.held_until(times.expiry_ms, SWEEP)?;
        let page = self.store.page(&self.swept_to, SWEEP)?;
        let mut group = Group::new(&mut self.store, &mut self.position, times);
        let mut given_up = 0;
        for (id, order_id) in &held {
            let id = *id;
            let done = group.carry_out_durably(&GiveUp { id, order_id })?;
            given_up += usize::from(done.is_ok_and(|is_given_up| is_given_up));
        }
        let (over, live): (Vec<Order>, Vec<Order>) = page
            .orders
            .into_iter()
            .partition(|order| order.is_over(times.expiry_ms));
        let orders: Vec<_> = over.iter().map(|order| order.id().to_owned()).collect();
        let payments: Vec<_> = page
            .payments
            .into_iter()
            .filter(|payment| payment.is_over(times.expiry_ms))
            .map(|payment| (payment.provider, payment.id))
            .collect();
        // If one of them is refused, none is forgotten, and the next sweep tries again.
        let _ = group.carry_out(&Forget {
            orders: &orders,
            payments: &payments,
        })?;
        group.note_time();
        let counts = group.commit()?.counts;
        self.swept_to = page.next;
        Ok(Swept {
            given_up,
            unreported: live.iter().filter(|order| order.is_unreported()).count(),
            counts,
        })
    }
}

fn refuse<T>(answer: Answer<T>) {
    // The caller may have stopped waiting.
    let _ = answer.send(Err(Error::DiskFull));
}
