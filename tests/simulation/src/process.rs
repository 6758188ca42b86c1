//! The proxy's process: the real queue on the simulated disk, run step by step, and a real courier for each lane.

use std::{sync::Arc, time::Instant};

use duet_proxy::{
    decide::{DeadLetter, Destination, Destinations},
    deliver::{RequestId, report},
    health::Health,
    metrics::Metrics,
    orders::Order,
    queue::{self, Core, DeadLetters, Intake, Limits, Outlet},
    store::Error,
    tiktok::Reply,
};
use fastrand::Rng;

use crate::{clock, plant::Plant, store::Disk, task::Task};

mod calls;
mod facts;
mod run;

pub use calls::{Answer, Named, Who};
use run::Run;
pub use run::Sent;

/// One process, from its start to its end.
pub struct Process {
    /// The number of the process. No other process has had this number.
    pub number: u64,
    /// Whether the process has got the time from TikTok.
    pub is_dated: bool,
    core: Core<Disk>,
    intake: Intake,
    outlet: Outlet,
    letters: DeadLetters,
    metrics: Arc<Metrics>,
    health: Health,
    flights: Vec<(Who, Task<Answer>)>,
    lanes: Vec<Run>,
    options: Options,
}

/// The settings of a process.
#[derive(Clone)]
pub struct Options {
    /// The destinations of events.
    pub destinations: Destinations,
    /// The limits of one request.
    pub limits: Limits,
    /// The planted fault.
    pub plant: Option<Plant>,
}

impl Process {
    /// Starts a process with the data on the disk.
    ///
    /// # Errors
    /// Returns an error if the store cannot be opened.
    pub fn start(disk: &Disk, number: u64, options: Options) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let parts = queue::over(disk.of_process(number), clock::read, Arc::clone(&metrics))?;
        let (core, intake, outlet, letters) = parts;
        Ok(Self {
            number,
            is_dated: false,
            core,
            intake,
            outlet,
            letters,
            metrics,
            health: Health::default(),
            flights: Vec::new(),
            lanes: Vec::new(),
            options,
        })
    }

    /// Returns whether the writer has calls to carry out.
    pub fn has_calls(&self) -> bool {
        !self.flights.is_empty() || self.lanes.iter().any(|run| run.settling.is_some())
    }

    /// Carries out at most `most` of the waiting calls in one commit. Returns the answers of all completed calls, each with
    /// its sender.
    pub fn turn(&mut self, most: usize, sweep: bool) -> Vec<(Who, Answer)> {
        self.core.turn(most, sweep);
        let mut answered = Vec::new();
        self.flights.retain_mut(|(who, task)| match task.reply() {
            Some(answer) => {
                answered.push((who.clone(), answer));
                false
            }
            None => true,
        });
        self.take_lanes();
        answered
    }

    /// Reads what other processes have written to the database.
    pub fn look(&mut self) {
        self.core.look();
        self.take_lanes();
    }

    fn take_lanes(&mut self) {
        while let Some(lane) = self.outlet.lane_now() {
            let run = Run::on(lane, self.options.limits, &self.metrics);
            self.lanes.push(run);
        }
    }

    /// Lets every courier do its work at the time `now`. Returns the requests that the couriers send.
    pub fn deliver(&mut self, now: Instant) -> Vec<Sent> {
        let mut sent = Vec::new();
        let stretches = self.options.plant == Some(Plant::SharedPauses);
        for (index, run) in self.lanes.iter_mut().enumerate() {
            if run.until.is_none_or(|until| until <= now) {
                run.step(index, now, stretches, &mut sent);
            }
        }
        sent
    }

    /// Returns the time of the next step of a courier, if no event arrives before.
    pub fn next_due(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|run| run.due).min()
    }

    /// Passes TikTok's reply to the courier that sent the request.
    pub fn replied(
        &mut self,
        lane: usize,
        request: RequestId,
        reply: Reply,
        now: Instant,
        rng: &mut Rng,
    ) {
        if let Some(run) = self.lanes.get_mut(lane) {
            let way = run.courier.answered(request, reply, now, || rng.f64());
            if let Some(way) = way {
                report::way(&self.health, &run.destination, &way);
            }
            run.until = None;
        }
    }

    /// Returns the pixel of a lane.
    pub fn pixel(&self, lane: usize) -> Option<&str> {
        let run = self.lanes.get(lane)?;
        Some(&run.destination.pixel_id)
    }

    /// Records the time that TikTok states.
    pub fn dated(&mut self, date_ms: i64) {
        self.is_dated = true;
        self.intake.clock().dated(date_ms);
    }

    /// Returns the order with this id.
    pub fn order(&self, id: &str) -> Option<Order> {
        self.intake.orders().find(id).ok().flatten()
    }

    /// Returns all dead letters.
    pub fn dead_letters(&self) -> Vec<(duet_proxy::decide::LetterId, DeadLetter)> {
        self.letters.newest(usize::MAX).unwrap_or_default()
    }

    /// Returns the number of pending events.
    pub fn depth(&self) -> i64 {
        self.intake.depth()
    }

    /// Returns the two sums of the balance of events: first the accepted, found and replayed events, then the ended,
    /// pending and held events.
    pub fn balance(&self) -> (i64, i64) {
        let text = self.metrics.text();
        let sum = |name: &str| -> i64 {
            let series = text.lines().filter_map(|line| line.rsplit_once(' '));
            let meant = series.filter(|(series, _)| series.split('{').next() == Some(name));
            meant
                .filter_map(|(_, value)| value.parse::<i64>().ok())
                .sum()
        };
        let came = [
            "duet_events_accepted_total",
            "duet_events_found",
            "duet_events_replayed_total",
        ];
        let went = [
            "duet_events_ended_total",
            "duet_queue_events",
            "duet_events_held",
        ];
        (came.map(sum).iter().sum(), went.map(sum).iter().sum())
    }
}

fn all(destinations: &Destinations) -> impl Iterator<Item = &Arc<Destination>> {
    std::iter::once(&destinations.first).chain(&destinations.others)
}
