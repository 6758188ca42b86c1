//! How processes end, pause and start, how their store fails, and how the database's server fails over.

use super::{
    Fault, HOUR_MS, Limits, MINUTE_MS, Options, Process, What, Who, World, clock, proxy::LOOK_MS,
};
use crate::store::LEASE_MS;

impl World {
    pub(super) fn crash(&mut self) {
        if self.is_healed {
            return;
        }
        self.is_in_trouble();
        match self.rng.u8(..6) {
            0..=1 => {
                self.tell(|| "the proxy is killed".to_owned());
                self.kill();
            }
            2 if self.plan.proxies.is_some() => return self.lose_the_server(),
            3 if self.plan.proxies.is_some() => {
                let faults = [
                    Fault::Late,
                    Fault::Unanswered,
                    Fault::Delayed { ms: 10_000 },
                ];
                let fault = faults[self.rng.usize(..3)];
                self.tell(|| format!("the server is about to fail after {fault:?}"));
                self.disk.fails_with(&[fault]);
                self.fails_over = true;
                return;
            }
            2..=3 => {
                let tail = self.disk.tail();
                let kept = self.rng.usize(..=tail);
                self.tell(|| {
                    format!(
                        "the power fails; {kept} of {tail} commits since the last sync are left"
                    )
                });
                self.kill();
                self.disk.loses_power(kept);
                clock::boot();
            }
            4 if self.processes.len() > 1 && self.rng.bool() => {
                self.falls_asleep = true;
                return;
            }
            _ => return self.strike(),
        }
        let ms = if self.rng.u8(..4) == 0 {
            self.rng.i64(HOUR_MS..10 * HOUR_MS)
        } else {
            self.rng.i64(1_000..10 * MINUTE_MS)
        };
        self.after(ms, What::Restart);
    }

    /// Makes the next writes of the store fail.
    fn strike(&mut self) {
        let count = self.rng.usize(1..4);
        let fault = |rng: &mut fastrand::Rng, is_shared: bool| match (is_shared, rng.u8(..4)) {
            (_, 0) => Fault::Closed,
            (false, 1) => Fault::SyncKeeps,
            (false, 2) => Fault::SyncLoses,
            (false, _) => Fault::Torn,
            (true, 1) => Fault::Aborted,
            (true, 2) => [Fault::Late, Fault::Unanswered, Fault::Unsent][rng.usize(..3)],
            (true, _) => Fault::Delayed {
                ms: rng.i64(10..10_000),
            },
        };
        let is_shared = self.plan.proxies.is_some();
        let faults: Vec<_> = (0..count)
            .map(|_| fault(&mut self.rng, is_shared))
            .collect();
        self.tell(|| format!("the store is about to fail: {faults:?}"));
        self.disk.fails_with(&faults);
    }

    /// Ends a process.
    pub(super) fn kill(&mut self) {
        if let Some(index) = self.rng.choice(0..self.processes.len()) {
            let process = self.processes.remove(index);
            self.disk.stops(process.number);
            self.after(LEASE_MS + LOOK_MS, What::LeasesEnd);
        }
        self.disk.loses_its_process();
        self.stop();
    }

    /// Closes the connection of every sender that waits for an answer.
    fn stop(&mut self) {
        self.epoch += 1;
        let unanswered = std::mem::take(&mut self.requests);
        for ((browser, page, request), ids) in unanswered {
            let who = Who::Page {
                browser,
                page,
                request,
            };
            self.requests.insert((browser, page, request), ids);
            self.gives_up(who);
        }
    }

    /// Stops a process for some time. The process does not notice this, because its whole machine sleeps.
    pub(super) fn fall_asleep(&mut self, number: u64) {
        let mut processes = self.processes.iter();
        let Some(index) = processes.position(|process| process.number == number) else {
            return;
        };
        self.falls_asleep = false;
        self.is_in_trouble();
        let ms = self.rng.i64(1_000..2 * MINUTE_MS);
        self.tell(|| format!("proxy {number} sleeps for {ms} ms"));
        let process = self.processes.remove(index);
        self.disk.stops(number);
        let wakes_ms = clock::since_start_ms() + ms;
        self.asleep.push((wakes_ms, process));
        self.at(wakes_ms, What::Wakes(number));
        self.after(LEASE_MS + LOOK_MS, What::LeasesEnd);
        self.stop();
    }

    /// Lets a stopped process continue.
    pub(super) fn wake(&mut self, number: u64) {
        let mut asleep = self.asleep.iter();
        if let Some(index) = asleep.position(|(_, process)| process.number == number) {
            self.tell(|| format!("proxy {number} continues"));
            self.is_in_trouble();
            let (_, process) = self.asleep.remove(index);
            self.processes.push(process);
            self.disk.wakes(number);
            self.deliver();
        }
    }

    /// Ends the primary server of the database. After some time, the standby takes over.
    pub(super) fn lose_the_server(&mut self) {
        self.fails_over = false;
        let tail = self.disk.tail();
        let kept = self.rng.usize(..=tail);
        self.tell(|| format!("the server is lost; the standby has {kept} of {tail} commits"));
        self.disk.loses_its_server(kept);
        let ms = self.rng.i64(1_000..MINUTE_MS);
        self.after(ms, What::StandbyTakesOver);
        self.look_soon();
    }

    /// Lets the standby take over.
    pub(super) fn take_over(&mut self) {
        self.tell(|| "the standby takes over".to_owned());
        self.is_in_trouble();
        self.disk.has_a_server();
        self.look_soon();
    }

    pub(super) fn restart(&mut self) {
        let most = self.plan.proxies.unwrap_or(1);
        if self.processes.len() + self.asleep.len() >= most {
            return;
        }
        self.epoch += 1;
        let limits = Limits {
            events: if self.plan.flood { 20 } else { 1000 },
            bytes: 1_000_000,
        };
        let options = Options {
            destinations: self.destinations.clone(),
            limits,
            plant: self.plant,
        };
        self.is_in_trouble();
        if !self.plan.starts_wrong {
            clock::set_ahead(0);
        }
        let ahead_ms = clock::read().wall_ms - clock::true_ms();
        self.started_wrong |= ahead_ms.abs() > MINUTE_MS;
        match Process::start(&self.disk, self.epoch, options) {
            Ok(process) => {
                self.tell(|| "the proxy starts".to_owned());
                self.processes.push(process);
                self.turn(0, false);
            }
            Err(error) => {
                self.tell(|| format!("the proxy cannot start: {error}"));
                self.disk.stops(self.epoch);
                self.after(5_000, What::Restart);
            }
        }
    }
}
