//! The steps of a week.

use super::{Answered, Caller, Reply, RequestId, Sent, Who, World, regular::Regular};

/// What happens at a step.
pub(super) enum What {
    Turn,
    Sweep,
    Visit,
    Order(usize),
    Thanks {
        order: usize,
        page: usize,
    },
    Leave {
        browser: usize,
        page: usize,
    },
    Wake {
        browser: usize,
        page: usize,
    },
    Hears {
        who: Who,
        body: Vec<u8>,
        caller: Caller,
    },
    Answers {
        who: Who,
        answered: Answered,
    },
    Registers(usize),
    BankTells(usize),
    TikTokHears {
        epoch: u64,
        sent: Sent,
    },
    TikTokAnswers {
        epoch: u64,
        lane: usize,
        request: RequestId,
        reply: Reply,
        is_dated: bool,
    },
    Delivers,
    Crash,
    Restart,
    /// Processes read what other processes have written to the database.
    Looks,
    /// The leases of a stopped process have expired.
    LeasesEnd,
    /// A commit arrives whose process has stopped waiting for it.
    Arrives,
    StandbyTakesOver,
    /// A stopped process continues.
    Wakes(u64),
    ClockIsSet,
    ClockStays {
        set_ms: i64,
    },
    Spell,
    Stranger,
    Flood,
    Operator,
    ClearsStorage,
    Returns(usize),
    Heals,
    Regular(Regular),
}

impl World {
    pub(super) fn step(&mut self, what: What) {
        match what {
            What::Turn => {
                self.turn_is_due = false;
                let most = self.rng.usize(1..8);
                self.turn(most, false);
            }
            What::Sweep => {
                self.turn(usize::MAX, true);
                self.check_ends();
            }
            What::Visit => self.visit(),
            What::Order(browser) => self.order(browser),
            What::Thanks { order, page } => self.thanks(order, page),
            What::Leave { browser, page } => self.leave(browser, page),
            What::Wake { browser, page } => {
                let asks = self.browsers[browser].wake(page, &mut self.rng);
                self.ask(browser, asks);
            }
            What::Hears { who, body, caller } => self.hears(who, &body, caller),
            What::Answers { who, answered } => self.answers(&who, &answered),
            What::Registers(order) => self.registers(order),
            What::BankTells(paying) => self.bank_tells(paying),
            What::TikTokHears { epoch, sent } => self.tiktok_hears(epoch, &sent),
            What::TikTokAnswers {
                epoch,
                lane,
                request,
                reply,
                is_dated,
            } => self.tiktok_answers(epoch, lane, request, reply, is_dated),
            What::Delivers => {
                self.delivers_at = None;
                self.deliver();
            }
            What::Crash => self.crash(),
            What::Restart => self.restart(),
            What::Looks => self.look(),
            What::LeasesEnd => {
                self.disk.has_changed();
                self.look_soon();
            }
            What::Arrives => self.arrive(),
            What::StandbyTakesOver => self.take_over(),
            What::Wakes(number) => self.wake(number),
            What::ClockIsSet => self.set_clock(),
            // If TikTok has not stated the time for a day, the proxy takes the new time for the right one.
            What::ClockStays { set_ms } => {
                self.started_wrong |= self.dated_ms.is_none_or(|ms| ms < set_ms);
            }
            What::Spell => self.spell(),
            What::Stranger => self.stranger(),
            What::Flood => self.flood(),
            What::Operator => self.operator(),
            What::ClearsStorage => self.clear_storage(),
            What::Returns(browser) => self.returns(browser),
            What::Heals => self.heal(),
            What::Regular(regular) => self.regular(regular),
        }
    }
}
