//! Futures of the real queue, polled by hand: nothing happens but what the simulation does.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// How often a future is polled until it has sent its call: the queue gathers calls for a turn or two.
const POLLS: usize = 4;

/// A call under way.
pub struct Task<T>(Pin<Box<dyn Future<Output = T>>>);

impl<T> Task<T> {
    /// Starts a call: it is on its way to the writer when this returns.
    pub fn start(call: impl Future<Output = T> + 'static) -> Result<Self, T> {
        let mut task = Self(Box::pin(call));
        for _ in 0..POLLS {
            if let Some(reply) = task.reply() {
                return Err(reply);
            }
        }
        Ok(task)
    }

    /// The reply, once there is one; then the task is over.
    pub fn reply(&mut self) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        match self.0.as_mut().poll(&mut context) {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => None,
        }
    }
}
