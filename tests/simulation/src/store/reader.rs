//! The reads that lanes and the console make.

use std::ops::Range;

use duet_proxy::{
    decide::{DeadLetter, HeldEvent, LetterId, Logged, Lookup, Payment},
    history::{Digest, Hour, Wanted},
    orders::Order,
    store::{Ends, Error, Found, LaneId, Letters, Most, Position, Reader, Row},
};

use super::{Content, Disk, salt};

impl Reader for Disk {
    fn is_shared(&self) -> bool {
        self.is_database
    }

    fn late(&self, lane: &LaneId, before: u64, known: &[u64]) -> Result<Vec<Found>, Error> {
        self.read(|content| {
            let rows = content.lanes.get(lane).into_iter();
            rows.flat_map(|rows| rows.range(..before))
                .filter(|(sequence, _)| !known.contains(sequence))
                .map(|(sequence, stored)| {
                    let row = Row::read(*sequence, &stored.row)?;
                    Ok((row, stored.marks.clone()))
                })
                .collect()
        })?
    }

    fn rows(&self, lane: &LaneId, from: u64, bytes: usize) -> Result<Vec<Found>, Error> {
        self.read(|content| {
            let mut found = Vec::new();
            let mut held = 0;
            let rows = content.lanes.get(lane).into_iter();
            for (sequence, stored) in rows.flat_map(|rows| rows.range(from..)) {
                if held >= bytes {
                    break;
                }
                let row = Row::read(*sequence, &stored.row)?;
                held += row.bytes();
                found.push((row, stored.marks.clone()));
            }
            Ok(found)
        })?
    }

    fn order(&self, id: &str) -> Result<Option<Order>, Error> {
        self.read(|content| content.orders.get(id).cloned())
    }

    fn payments(&self) -> Result<Vec<Payment>, Error> {
        self.read(|content| content.payments.values().cloned().collect())
    }

    fn letters(&self, before: Option<LetterId>, most: Most) -> Result<Letters, Error> {
        self.read(|content| {
            let letters = content.letters.iter().rev();
            letters
                .filter(|(id, _)| before.is_none_or(|before| **id < before))
                .map(|(id, letter)| (*id, letter.clone()))
                .take(most.count)
                .collect()
        })
    }

    fn letter(&self, id: LetterId) -> Result<Option<DeadLetter>, Error> {
        self.read(|content| content.letters.get(&id).cloned())
    }

    fn letter_ids(&self, after: Option<LetterId>, most: Most) -> Result<Vec<LetterId>, Error> {
        self.read(|content| {
            let ids = content.letters.keys().copied();
            ids.filter(|id| after.is_none_or(|after| *id > after))
                .take(most.count)
                .collect()
        })
    }

    fn place(&self) -> Result<Position, Error> {
        self.read(Content::position)
    }

    fn payments_of(&self, id: &str) -> Result<Vec<Payment>, Error> {
        self.read(|content| {
            let payments = content.payments.values();
            let payments = payments.filter(|payment| payment.belongs_to(id));
            payments.cloned().collect()
        })
    }

    fn orders_like(&self, id: &str) -> Result<Vec<String>, Error> {
        self.read(|content| {
            let ids = content.lookups.get(&Lookup::code(id)).cloned();
            ids.unwrap_or_default()
        })
    }

    fn order_of(&self, digest: Digest) -> Result<Option<String>, Error> {
        self.read(|content| {
            let mut ids = content.orders.keys();
            ids.find(|id| salt().order(id) == digest).cloned()
        })
    }

    fn find_held(&self, texts: &[String]) -> Result<Vec<HeldEvent>, Error> {
        self.read(|content| {
            let contains = |held: &&HeldEvent| {
                let stored = serde_json::to_string(held).unwrap_or_default();
                texts.iter().any(|text| stored.contains(text))
            };
            content.held.values().filter(contains).cloned().collect()
        })
    }

    fn payment(&self, provider: &str, id: &str) -> Result<Option<Payment>, Error> {
        self.read(|content| {
            let payments = content.payments.values();
            let mut told = payments.filter(|payment| payment.provider == provider);
            let is_it =
                |payment: &&Payment| payment.id == id || payment.also.iter().any(|also| also == id);
            told.find(is_it).cloned()
        })
    }

    fn ends(&self, before: Option<LetterId>, most: Most) -> Result<Ends, Error> {
        self.read(|content| {
            let mut events = 0;
            let ends = content.shown();
            ends.filter(|(id, _)| before.is_none_or(|before| *id < before))
                .take_while(|(_, end)| {
                    let is_room = events < most.count;
                    events += end.events.len();
                    is_room
                })
                .collect()
        })
    }

    fn oldest_end(&self) -> Result<Option<i64>, Error> {
        self.read(|content| content.ends.values().next().map(|end| end.at_ms))
    }

    fn find_ends(&self, wanted: &Wanted, most: usize) -> Result<Ends, Error> {
        self.read(|content| {
            let mut events = 0;
            let found = content.shown().filter_map(|(id, end)| {
                let end = wanted.pick(end, |_| false)?;
                Some((id, end))
            });
            found
                .take_while(|(_, end)| {
                    let is_room = events < most;
                    events += end.events.len();
                    is_room
                })
                .collect()
        })
    }

    fn hours(&self, starts: Range<i64>) -> Result<Vec<(i64, Hour)>, Error> {
        self.read(|content| {
            let hours = content.hours.range(starts);
            hours.map(|(ms, hour)| (*ms, hour.clone())).collect()
        })
    }

    fn covered(&self, order: Digest) -> Result<Option<i64>, Error> {
        self.read(|content| content.covered.get(&order).copied())
    }

    fn change_log(&self) -> Result<Logged, Error> {
        self.read(|content| content.log.clone())
    }
}
