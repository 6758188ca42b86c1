//! Visitors and their pages.

use super::{
    Answered, Ask, Browser, Caller, DAY_MS, Enqueued, HOUR_MS, MINUTE_MS, Named, REQUEST_MS, What,
    Who, World, clock,
};

impl World {
    pub(super) fn visit(&mut self) {
        let click = format!("E.C.P.{:016x}", self.rng.u64(..));
        let is_pixel_blocked = self.rng.u8(..10) < 3;
        self.browsers
            .push(Browser::new(click, is_pixel_blocked, self.pixels()));
        let browser = self.browsers.len() - 1;
        let page = self.open(browser);
        self.track(browser, page, "ViewContent", None);
        let stays_ms = self.rng.i64(1_000..MINUTE_MS);
        self.after(stays_ms, What::Leave { browser, page });
        if self.rng.u8(..10) < 8 {
            let ms = self.rng.i64(2_000..2 * HOUR_MS);
            self.after(ms, What::Order(browser));
        }
        if self.rng.bool() {
            let ms = self.rng.i64(HOUR_MS..3 * DAY_MS);
            self.after(ms, What::Returns(browser));
        }
    }

    pub(super) fn open(&mut self, browser: usize) -> usize {
        let (page, asks) = self.browsers[browser].open(&mut self.rng);
        self.ask(browser, asks);
        page
    }

    pub(super) fn track(
        &mut self,
        browser: usize,
        page: usize,
        name: &str,
        order_id: Option<&str>,
    ) {
        let (id, asks) = self.browsers[browser].track(page, name, order_id, &mut self.rng);
        self.tell(|| {
            format!(
                "browser {browser} reports {name} {id} {}",
                order_id.unwrap_or_default()
            )
        });
        // Events of the first hour are not checked. All visitors come back within the hour after the week, and the SDK
        // drops events that are then older than seven days.
        if clock::since_start_ms() > HOUR_MS {
            let reported = self.pixels().into_iter();
            self.reported
                .extend(reported.map(|pixel| (pixel, id.clone())));
        }
        if !self.browsers[browser].is_pixel_blocked {
            for pixel in self.pixels() {
                self.tiktok.hears_the_pixel(&pixel, name, &id);
            }
        }
        self.ask(browser, asks);
    }

    pub(super) fn ask(&mut self, browser: usize, asks: Vec<Ask>) {
        for ask in asks {
            match ask {
                Ask::Wake { page, ms } => {
                    self.after(i64::from(ms).max(1), What::Wake { browser, page });
                }
                Ask::Post {
                    page,
                    request,
                    body,
                    ids,
                } => {
                    self.requests.insert((browser, page, request), ids);
                    let who = Who::Page {
                        browser,
                        page,
                        request,
                    };
                    if self.is_lost() {
                        self.tell(|| format!("a request of browser {browser} is lost"));
                        self.gives_up(who);
                    } else {
                        let (ms, body) = (self.rng.i64(10..2_000), body.into_bytes());
                        let caller = Caller::Page;
                        self.after(ms, What::Hears { who, body, caller });
                    }
                }
            }
        }
    }

    pub(super) fn gives_up(&mut self, who: Who) {
        match who {
            Who::Page { .. } => {
                let answered = Answered {
                    status: 0,
                    results: String::new(),
                };
                self.after(REQUEST_MS, What::Answers { who, answered });
            }
            Who::Bank(paying) => self.after(2 * MINUTE_MS, What::BankTells(paying)),
            Who::Shop(order) => self.after(MINUTE_MS, What::Registers(order)),
            Who::Nobody => {}
        }
    }

    pub(super) fn answer_page(&mut self, who: Who, results: &[Option<(Named, Enqueued)>]) {
        let digit = |result: &Option<(Named, Enqueued)>| match result {
            Some((_, Enqueued::Accepted)) => '1',
            Some((_, Enqueued::Duplicate)) => '2',
            Some((_, Enqueued::Held)) => '3',
            None => '4',
        };
        if self.is_lost() {
            self.tell(|| format!("the answer to {who:?} is lost"));
            return self.gives_up(who);
        }
        for (named, _) in results.iter().flatten() {
            for order in &mut self.orders {
                let begins = duet_events::EventId::derive("InitiateCheckout", &order.id);
                if named.id == begins.as_str() {
                    order.is_begun = true;
                    order.begun_at.insert(named.pixel.clone());
                }
            }
        }
        let answered = Answered {
            status: 202,
            results: results.iter().map(digit).collect(),
        };
        let ms = self.rng.i64(10..1_000);
        self.after(ms, What::Answers { who, answered });
    }

    pub(super) fn answers(&mut self, who: &Who, answered: &Answered) {
        let Who::Page {
            browser,
            page,
            request,
        } = *who
        else {
            return;
        };
        if self.requests.remove(&(browser, page, request)).is_none() {
            return;
        }
        let asks = self.browsers[browser].answered(page, request, answered, &mut self.rng);
        self.ask(browser, asks);
    }

    pub(super) fn leave(&mut self, browser: usize, page: usize) {
        if !self.browsers[browser].is_open(page) {
            return;
        }
        if self.rng.u8(..4) == 0 {
            self.tell(|| format!("page {page} of browser {browser} is killed"));
            self.browsers[browser].end(page);
        } else {
            let asks = self.browsers[browser].leave(page, &mut self.rng);
            self.ask(browser, asks);
        }
    }

    pub(super) fn returns(&mut self, browser: usize) {
        let page = self.open(browser);
        self.track(browser, page, "ViewContent", None);
        let stays_ms = self.rng.i64(MINUTE_MS..HOUR_MS);
        if !self.is_healed {
            self.after(stays_ms, What::Leave { browser, page });
        }
    }
}
