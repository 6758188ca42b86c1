//! Runs futures of the real queue step by step, so that the simulation controls when anything happens.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

/// How often a future must be polled until it has sent its call. The queue gathers calls for one or two turns.
const POLLS: usize = 4;

/// A call that was sent and may not be answered yet.
pub struct Task<T>(Pin<Box<dyn Future<Output = T>>>);

impl<T> Task<T> {
    /// Starts a call. When this function returns, the call was sent to the writer. If the call is answered at once, returns
    /// the answer as an error.
    pub fn start(call: impl Future<Output = T> + 'static) -> Result<Self, T> {
        let mut task = Self(Box::pin(call));
        for _ in 0..POLLS {
            if let Some(reply) = task.reply() {
                return Err(reply);
            }
        }
        Ok(task)
    }

    /// Returns the reply if it has come. After that, the task must not be used again.
    pub fn reply(&mut self) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        match self.0.as_mut().poll(&mut context) {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => None,
        }
    }
}

/// Runs a future that must not wait. Returns `None` if the future waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(reply) => Some(reply),
        Poll::Pending => None,
    }
}
