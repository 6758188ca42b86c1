//! Runs futures of the real queue step by step, so nothing happens outside of the simulation's control.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

/// The number of polls until a future has sent its call: the queue gathers calls for one or two turns.
const POLLS: usize = 4;

/// A running call.
pub struct Task<T>(Pin<Box<dyn Future<Output = T>>>);

impl<T> Task<T> {
    /// Starts a call. When this returns, the call has been sent to the writer.
    pub fn start(call: impl Future<Output = T> + 'static) -> Result<Self, T> {
        let mut task = Self(Box::pin(call));
        for _ in 0..POLLS {
            if let Some(reply) = task.reply() {
                return Err(reply);
            }
        }
        Ok(task)
    }

    /// Returns the reply, if there is one. Then the task is done.
    pub fn reply(&mut self) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        match self.0.as_mut().poll(&mut context) {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => None,
        }
    }
}

/// Runs a future that never waits. Returns `None` if it waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(reply) => Some(reply),
        Poll::Pending => None,
    }
}
