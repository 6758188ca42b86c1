//! The sandbox: its whole state behind one lock, and a handle for tests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::clerk::{Clerk, KeySetAnswer};
use crate::conversion::{Arrival, Channel, Conversion, Outcome, TestEvent};
use crate::dedup::Ledger;
use crate::faults::{ActiveFault, Faults, Injection, Place};
use crate::names::canonical;
use crate::options::Limits;
use crate::requests::{LoggedRequest, RequestLog};
use crate::violations::{Inspector, Violation};
use crate::{Bank, Clock, Options, router};

/// A fake TikTok. Clones are handles to the same sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

/// Counters since the start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Conversions counted.
    pub conversions: u64,
    /// Events from the Pixel, without test events.
    pub pixel_signals: u64,
    /// Events from servers, without test events.
    pub server_signals: u64,
    /// Signals that were merged into a conversion of the other channel.
    pub merged: u64,
    /// Signals that were dropped as copies.
    pub deduplicated: u64,
    /// Events with a test event code.
    pub test_events: u64,
    /// Automatic interaction reports of the Pixel.
    pub interactions: u64,
    /// Events API requests.
    pub requests: u64,
    /// Violations.
    pub violations: u64,
    /// Warnings.
    pub warnings: u64,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    state: Mutex<State>,
    bank: Bank,
    /// Counts the changes of the state, so that tasks can wait for a change.
    changes: watch::Sender<u64>,
    hanging: watch::Sender<Hanging>,
    clerk: Clerk,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hanging {
    releases: u64,
    forbidden: bool,
}

/// A fault that is applied to a request.
#[derive(Debug)]
pub(crate) struct Strike {
    pub(crate) injection: Injection,
    releases: u64,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) ledger: Ledger,
    pub(crate) tests: VecDeque<(String, VecDeque<TestEvent>)>,
    pub(crate) inspector: Inspector,
    pub(crate) requests: RequestLog,
    pub(crate) faults: Faults,
    pub(crate) totals: Totals,
    /// For each token: a second, and the number of requests in that second.
    pub(crate) rates: HashMap<String, (u64, u32)>,
}

impl State {
    fn new(options: &Options) -> Self {
        let limits = &options.limits;
        Self {
            ledger: Ledger::new(options.windows, options.literal_names, limits.conversions),
            tests: VecDeque::new(),
            inspector: Inspector::new(limits.violations),
            requests: RequestLog::new(limits.requests, limits.request_bytes),
            faults: Faults::default(),
            totals: Totals::default(),
            rates: HashMap::new(),
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            violations: self.inspector.violations,
            warnings: self.inspector.warnings,
            ..self.totals
        }
    }

    pub(crate) fn count(&mut self, arrival: Arrival) {
        match arrival.channel {
            Channel::Pixel => self.totals.pixel_signals += 1,
            Channel::Server => self.totals.server_signals += 1,
        }
        match self.ledger.record(arrival) {
            Outcome::Counted => self.totals.conversions += 1,
            Outcome::Merged => self.totals.merged += 1,
            Outcome::Deduplicated => self.totals.deduplicated += 1,
        }
    }

    pub(crate) fn keep_test_event(&mut self, code: &str, arrival: Arrival, limits: &Limits) {
        self.totals.test_events += 1;
        if !self.tests.iter().any(|(known, _)| known == code) {
            if self.tests.len() >= limits.test_codes.max(1) {
                self.tests.pop_front();
            }
            self.tests.push_back((code.to_owned(), VecDeque::new()));
        }
        let Some((_, events)) = self.tests.iter_mut().find(|(known, _)| known == code) else {
            return;
        };
        if events.len() >= limits.test_events.max(1) {
            events.pop_front();
        }
        events.push_back(TestEvent {
            canonical: canonical(&arrival.event).to_owned(),
            pixel: arrival.pixel,
            event: arrival.event,
            event_id: arrival.event_id,
            test_event_code: code.to_owned(),
            received_at_ms: arrival.received_at_ms,
            event_time: arrival.event_time,
            match_keys: arrival.match_keys,
            user: arrival.user,
            properties: arrival.properties,
            page: arrival.page,
        });
    }
}

impl Sandbox {
    /// Creates an empty sandbox.
    pub fn new(options: Options) -> Self {
        let state = Mutex::new(State::new(&options));
        let bank = Bank::new(options.bank.clone());
        Self {
            shared: Arc::new(Shared {
                options,
                state,
                bank,
                changes: watch::Sender::default(),
                hanging: watch::Sender::default(),
                clerk: Clerk::default(),
            }),
        }
    }

    /// Returns the sandbox's routes, for a caller that serves them itself. [`serve`](crate::serve()) serves them over TCP.
    pub fn router(&self) -> Router {
        router::router(self.clone())
    }

    /// Returns the settings.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Returns the sandbox's clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.options.clock
    }

    /// Returns the fake bank.
    pub fn bank(&self) -> &Bank {
        &self.shared.bank
    }

    /// Returns the fake Clerk.
    pub fn clerk(&self) -> &Clerk {
        &self.shared.clerk
    }

    /// Moves the sandbox's clock forward.
    pub fn advance_clock(&self, by: Duration) {
        self.clock().advance(by);
        self.changed();
    }

    /// Returns the stored conversions, oldest first.
    pub fn conversions(&self) -> Vec<Conversion> {
        self.state().ledger.conversions().iter().cloned().collect()
    }

    /// Returns the stored conversions with this `event_id`, oldest first.
    pub fn conversions_of(&self, event_id: &str) -> Vec<Conversion> {
        let state = self.state();
        let with_id = |c: &&Conversion| c.event_id.as_deref() == Some(event_id);
        state
            .ledger
            .conversions()
            .iter()
            .filter(with_id)
            .cloned()
            .collect()
    }

    /// Returns the stored test events for a code, oldest first.
    pub fn tests(&self, code: &str) -> Vec<TestEvent> {
        let state = self.state();
        let bucket = state.tests.iter().find(|(known, _)| known == code);
        bucket.map_or_else(Vec::new, |(_, events)| events.iter().cloned().collect())
    }

    /// Returns the stored Events API requests, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state().requests.kept().cloned().collect()
    }

    /// Returns the stored violations and warnings, oldest first.
    pub fn violations(&self) -> Vec<Violation> {
        self.state().inspector.kept().iter().cloned().collect()
    }

    /// Returns all counters.
    pub fn totals(&self) -> Totals {
        self.state().totals()
    }

    /// Adds a fault and returns its id. Faults are applied in the order in which they were added.
    pub fn inject(&self, injection: impl Into<Injection>) -> u64 {
        let id = self.state().faults.add(injection.into());
        self.changed();
        id
    }

    /// Returns the active faults.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.state().faults.active().to_vec()
    }

    /// Removes one fault. Returns false if no fault has this id.
    pub fn remove_fault(&self, id: u64) -> bool {
        let removed = self.state().faults.remove(id);
        self.release();
        removed
    }

    /// Removes every fault. Requests that hang get their answers.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
        self.release();
    }

    /// Answers the requests that hang now. The fault stays active.
    pub fn release(&self) {
        self.shared
            .hanging
            .send_modify(|hanging| hanging.releases += 1);
        self.changed();
    }

    /// Removes everything except the settings and the clock.
    pub fn reset(&self) {
        {
            let mut state = self.state();
            let numbering = state.requests.numbering();
            *state = State::new(&self.shared.options);
            state.requests.continue_at(numbering);
        }
        self.bank().reset();
        self.release();
    }

    /// Checks `condition` after every change of the sandbox until it is true. Returns false if it does not become true
    /// within `deadline` of real time.
    pub async fn wait_until(&self, deadline: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let mut changes = self.shared.changes.subscribe();
        let held = async {
            while !condition(self) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(deadline, held).await.is_ok()
    }

    /// Returns how often the sandbox has changed.
    pub(crate) fn revision(&self) -> u64 {
        *self.shared.changes.borrow()
    }

    pub(crate) fn changed(&self) {
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the fault that a request gets, if any.
    pub(crate) fn strike(&self, place: Place, body: Option<&Value>) -> Option<Strike> {
        let mut state = self.state();
        let injection = state.faults.strike(place, body)?;
        // Read the number of releases while the state is locked. Otherwise a release that comes before the request waits
        // would be missed.
        let releases = self.shared.hanging.borrow().releases;
        Some(Strike {
            injection,
            releases,
        })
    }

    /// Waits until the requests that hang at the moment of `strike` are released.
    pub(crate) async fn hang(&self, strike: &Strike) {
        let mut hanging = self.shared.hanging.subscribe();
        // The wait does not fail, because this handle keeps the sender alive.
        let _ = hanging
            .wait_for(|hanging| hanging.forbidden || hanging.releases > strike.releases)
            .await;
    }

    pub(crate) fn stop_hanging(&self) {
        self.shared
            .hanging
            .send_modify(|hanging| hanging.forbidden = true);
        self.clerk().answer_with(KeySetAnswer::Keys);
    }
}
