//! Records what the proxies answered to the callers, and when.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The records of all callers.
pub(super) struct Book(Mutex<State>);

struct State {
    is_open: bool,
    next: u64,
    /// The numbers of accepted events.
    events: Vec<u64>,
    /// The paid orders, and whether a page reported the payment too.
    sales: Vec<(String, bool)>,
    last_answer: Instant,
    longest_pause: Duration,
    longest_call: Duration,
    /// Calls of each proxy that failed or got a server error.
    failed: [u64; 3],
    /// Calls without an answer in time, and unexpected answers.
    problems: Vec<String>,
}

impl Book {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            is_open: true,
            next: 0,
            events: Vec::new(),
            sales: Vec::new(),
            last_answer: Instant::now(),
            longest_pause: Duration::ZERO,
            longest_call: Duration::ZERO,
            failed: [0; 3],
            problems: Vec::new(),
        }))
    }

    /// Returns a number that this function has not returned before.
    pub(super) fn new_number(&self) -> u64 {
        self.with(|state| {
            state.next += 1;
            state.next
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.with(|state| state.is_open)
    }

    pub(super) fn close(&self) {
        self.with(|state| state.is_open = false);
    }

    pub(super) fn accept(&self, number: u64) {
        self.with(|state| state.events.push(number));
    }

    pub(super) fn sell(&self, order: String, is_reported: bool) {
        self.with(|state| state.sales.push((order, is_reported)));
    }

    /// Records a success, and how long the call took.
    pub(super) fn answered(&self, took: Duration) {
        self.with(|state| {
            state.longest_pause = state.longest_pause.max(state.last_answer.elapsed());
            state.last_answer = Instant::now();
            state.longest_call = state.longest_call.max(took);
        });
    }

    /// Records a call of a proxy that failed or got a server error.
    pub(super) fn failed(&self, proxy: usize, took: Duration) {
        self.with(|state| {
            if let Some(failed) = state.failed.get_mut(proxy) {
                *failed += 1;
            }
            state.longest_call = state.longest_call.max(took);
        });
    }

    pub(super) fn problem(&self, problem: String) {
        self.with(|state| state.problems.push(problem));
    }

    pub(super) fn failures(&self) -> [u64; 3] {
        self.with(|state| state.failed)
    }

    /// Returns the longest call since the last call of this function.
    pub(super) fn take_longest_call(&self) -> Duration {
        self.with(|state| std::mem::take(&mut state.longest_call))
    }

    /// Returns the longest time without a success since the last call of this function.
    pub(super) fn take_pause(&self) -> Duration {
        self.with(|state| {
            let running = state.last_answer.elapsed();
            std::mem::take(&mut state.longest_pause).max(running)
        })
    }

    /// Begins to measure the time without a success.
    pub(super) fn begin_pause(&self) {
        self.with(|state| {
            state.longest_pause = Duration::ZERO;
            state.last_answer = Instant::now();
        });
    }

    pub(super) fn events(&self) -> Vec<u64> {
        self.with(|state| state.events.clone())
    }

    pub(super) fn sales(&self) -> Vec<(String, bool)> {
        self.with(|state| state.sales.clone())
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.with(|state| state.problems.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
