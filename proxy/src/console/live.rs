//! The section *Live*: one row for each event, with both legs and the event's outcome. When something happens to the event, its
//! row changes, and no second row appears. The page shows every event, or says how many events it does not show.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use duet_events::wire::Status;
use maud::{Markup, html};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::{
    show::{self, Row},
    view::View,
};
use crate::{
    history::{Digest, End, Ended},
    live::{Answered, Dropped, Note, Rejected},
};

mod entry;
mod filter;

pub(super) use entry::Entry;
use filter::Filter;

/// The largest number of remembered events that were neither rejected nor ended without delivery.
const ENTRIES: usize = 2000;
/// The largest number of remembered events that were rejected or ended without delivery. They are in a list of their own, so
/// that good events cannot push them out.
const TROUBLED: usize = 500;
/// The largest number of rows on a page.
const ROWS: usize = 25;
/// How often the notes are read. The proxy never wakes the thread that reads, because this would cost some time for each event.
const EVERY: Duration = Duration::from_millis(50);
/// The period for which the page says how many events it does not show.
const PERIOD_MS: i64 = 5000;

/// The latest events.
#[derive(Default)]
pub(super) struct Live(Mutex<Feed>);

#[derive(Default)]
struct Feed {
    entries: Ring,
    troubled: Ring,
    /// For each of the last seconds: the second, and the number of events that were answered in it.
    seconds: VecDeque<(i64, u64)>,
    /// How many events were answered since the start.
    answered: u64,
    dropped: Dropped,
}

/// The latest entries. Entries have consecutive numbers, and `known` has the number of each digest's entry.
#[derive(Default)]
struct Ring {
    entries: VecDeque<Entry>,
    /// The number of the oldest entry.
    first: u64,
    known: HashMap<Digest, u64>,
}

/// The latest events, as the page shows them.
#[derive(Serialize)]
pub(super) struct Latest {
    /// The newest events first.
    pub(super) events: Vec<Entry>,
    /// How many events of the last 5 seconds are not in `events`.
    more: u64,
    /// How many events were answered since the start.
    answered: u64,
    /// How many events were answered in the last 5 seconds.
    #[serde(skip)]
    recent: u64,
}

impl Live {
    /// Reads notes on a thread of its own, until the proxy stops.
    pub(super) fn read(
        self: Arc<Self>,
        mut notes: mpsc::Receiver<Note>,
        dropped: impl Fn() -> Dropped + Send + 'static,
        closed: watch::Receiver<bool>,
    ) {
        let reading = move || {
            loop {
                let is_over = self.take(&mut notes, dropped());
                if is_over || *closed.borrow() {
                    return;
                }
                thread::park_timeout(EVERY);
            }
        };
        let started = thread::Builder::new()
            .name("console".to_owned())
            .spawn(reading);
        if let Err(error) = started {
            tracing::warn!(error = %error, "the console shows no live events, because the thread that reads them could not start");
        }
    }

    /// Takes all notes that have arrived. Returns whether the channel is closed, so that no further note can arrive.
    fn take(&self, notes: &mut mpsc::Receiver<Note>, dropped: Dropped) -> bool {
        let mut feed = self.lock();
        feed.drops(dropped);
        loop {
            match notes.try_recv() {
                Ok(note) => feed.note(note),
                Err(mpsc::error::TryRecvError::Empty) => return false,
                Err(mpsc::error::TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Returns the newest events that the view wants.
    pub(super) fn latest(&self, view: &View, now_ms: i64) -> Latest {
        let filter = Filter::read(view.part("events").unwrap_or_default());
        let feed = self.lock();
        let rings = [&feed.entries, &feed.troubled];
        let mut events: Vec<_> = rings
            .into_iter()
            .flat_map(|ring| {
                ring.entries
                    .iter()
                    .rev()
                    .filter(|entry| filter.wants(entry))
                    .take(ROWS)
            })
            .collect();
        events.sort_by_key(|entry| std::cmp::Reverse((entry.at_ms, entry.number)));
        events.truncate(ROWS);
        let since_ms = now_ms - PERIOD_MS;
        let shown = events
            .iter()
            .filter(|entry| entry.is_answered && entry.at_ms / 1000 > since_ms / 1000);
        let shown = shown.count() as u64;
        let seconds = feed
            .seconds
            .iter()
            .filter(|(second, _)| *second > since_ms / 1000);
        let all: u64 = seconds.map(|(_, events)| events).sum();
        Latest {
            more: all.saturating_sub(shown),
            recent: all,
            answered: feed.answered,
            events: events.into_iter().cloned().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Feed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    fn note(&mut self, note: Note) {
        match note {
            Note::Answered(answered) => self.answered(*answered),
            Note::Rejected(rejected) => self.rejected(*rejected),
            Note::Ended(end) => {
                for event in &end.events {
                    self.ended(&end, event);
                }
            }
        }
    }

    fn answered(&mut self, answered: Answered) {
        self.counts(answered.at_ms, 1);
        match self.find(answered.event) {
            Some(known) if answered.status == Status::Duplicate => known.repeats += 1,
            Some(known) => known.is_answered_again(answered),
            None => {
                let entry = Entry::of_answer(answered);
                self.entries.push(entry, ENTRIES);
            }
        }
    }

    fn rejected(&mut self, rejected: Rejected) {
        self.counts(rejected.at_ms, 1);
        self.troubled.push(Entry::of_rejection(rejected), TROUBLED);
    }

    fn ended(&mut self, end: &End, event: &Ended) {
        let known = self.entries.find(event.event);
        if let Some(known) = known {
            known.ends(end);
            if known.is_troubled() {
                let troubled = known.clone();
                self.entries.forget(event.event);
                self.troubled.push(troubled, TROUBLED);
            }
        } else if let Some(known) = self.troubled.find(event.event) {
            // A dead letter was sent again, and has ended once more.
            known.ends(end);
        } else {
            let entry = Entry::of_end(end, event);
            let (ring, most) = if entry.is_troubled() {
                (&mut self.troubled, TROUBLED)
            } else {
                (&mut self.entries, ENTRIES)
            };
            ring.push(entry, most);
        }
    }

    fn find(&mut self, event: Digest) -> Option<&mut Entry> {
        if self.entries.known.contains_key(&event) {
            self.entries.find(event)
        } else {
            self.troubled.find(event)
        }
    }

    /// Counts events whose notes were dropped.
    fn drops(&mut self, dropped: Dropped) {
        let before = self.dropped.answered + self.dropped.rejected;
        let more = (dropped.answered + dropped.rejected).saturating_sub(before);
        self.dropped = dropped;
        if more > 0 {
            let second = self.seconds.back().map_or(0, |(second, _)| *second);
            self.counts(second * 1000, more);
        }
    }

    fn counts(&mut self, at_ms: i64, events: u64) {
        self.answered += events;
        let second = at_ms / 1000;
        match self.seconds.back_mut() {
            Some((last, number)) if *last >= second => *number += events,
            _ => self.seconds.push_back((second, events)),
        }
        if self.seconds.len() > 10 {
            self.seconds.pop_front();
        }
    }
}

impl Ring {
    fn push(&mut self, mut entry: Entry, most: usize) {
        entry.number = self.first + self.entries.len() as u64;
        if let Some(digest) = entry.digest {
            self.known.insert(digest, entry.number);
        }
        self.entries.push_back(entry);
        while self.entries.len() > most {
            self.first += 1;
            let oldest = self.entries.pop_front();
            if let Some(digest) = oldest.and_then(|oldest| oldest.digest)
                && self
                    .known
                    .get(&digest)
                    .is_some_and(|number| *number < self.first)
            {
                self.known.remove(&digest);
            }
        }
    }

    fn find(&mut self, event: Digest) -> Option<&mut Entry> {
        let number = *self.known.get(&event)?;
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Hides the entry of this event. The entry stays in the list, so that the numbers of the other entries do not change.
    fn forget(&mut self, event: Digest) {
        if let Some(entry) = self.find(event) {
            entry.is_moved = true;
        }
        self.known.remove(&event);
    }
}

impl Latest {
    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let filter = view.part("events").unwrap_or_default();
        let last = self.events.first().map(|entry| entry.at_ms);
        let content = html! {
                form.filters action="/#live" role="search" aria-label=(texts.filter) {
                    @for (name, value) in view.others("events") {
                        input type="hidden" name=(name) value=(value);
                    }
                    label for="events" { (texts.filter) }
                    input #events type="search" name="events" value=(filter) aria-describedby="filter-hint"
                        autocomplete="off" spellcheck="false";
                    button { (texts.apply) }
                    p #filter-hint.said { (texts.filter_hint) }
                }
                @if self.events.is_empty() {
                    p { @if filter.is_empty() { (texts.no_events) } @else { (texts.no_such_events) } }
                } @else {
                    p.more {
                        @if self.more > 0 {
                            strong { (show::count(self.more, view.language)) } " " (texts.more_events)
                        } @else if self.recent > 0 { (texts.all_events) } @else { (texts.no_recent_events) }
                    }
                    (entry::legend(texts))
                    (show::table("events-table", texts.latest_events, &texts.event_columns, self.rows(view)))
                    @if let Some(last) = last { p.said { (texts.last_event) " " (show::time(last)) } }
                }
                p.export {
                    a href="/console/api/live?format=csv" download { "CSV" } " "
                    a href="/console/api/live?format=ndjson" download { "NDJSON" }
                }
        };
        let section = show::Section {
            id: "live",
            title: texts.live,
            note: last.map(show::time),
            is_open: ["events", "event"]
                .iter()
                .any(|part| view.part(part).is_some()),
        };
        section.of(&content)
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        self.events.iter().map(|entry| entry.row(view)).collect()
    }
}

#[cfg(test)]
mod tests;
