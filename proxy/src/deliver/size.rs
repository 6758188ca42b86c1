//! Decides how many events one request of a lane can have. The limit is small at first and after a failure. The limit grows
//! while requests succeed and more events are pending.

use crate::{config::FIRST_EVENTS, queue::Limits};

/// The size of a lane's next requests.
#[derive(Debug)]
pub(super) struct Size {
    events: usize,
    most: Limits,
}

impl Size {
    /// Returns a small limit, which never grows beyond `most`.
    pub(super) fn new(most: Limits) -> Self {
        Self {
            events: FIRST_EVENTS.min(most.events),
            most,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            events: self.events,
            ..self.most
        }
    }

    /// Allows larger requests. The caller must call this if TikTok has accepted a request and more events are pending.
    pub(super) fn grow(&mut self) {
        self.events = self.events.saturating_mul(2).min(self.most.events);
    }

    /// Returns to small requests. The caller must call this if TikTok has refused a request, or did not answer it, because the
    /// request may have been too large.
    pub(super) fn fall_back(&mut self) {
        self.events = FIRST_EVENTS.min(self.most.events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(events: usize) -> Size {
        Size::new(Limits {
            events,
            bytes: 1000,
        })
    }

    #[test]
    fn requests_double_from_50_events_to_the_cap_and_fall_back_to_50() {
        let mut size = size(1000);
        let mut sizes = Vec::new();
        for _ in 0..7 {
            sizes.push(size.limits().events);
            size.grow();
        }
        assert_eq!(sizes, [50, 100, 200, 400, 800, 1000, 1000]);
        size.fall_back();
        assert_eq!((size.limits().events, size.limits().bytes), (50, 1000));
    }

    #[test]
    fn a_cap_below_50_holds_at_once() {
        let mut size = size(7);
        size.grow();
        assert_eq!(size.limits().events, 7);
        size.fall_back();
        assert_eq!(size.limits().events, 7);
    }
}
