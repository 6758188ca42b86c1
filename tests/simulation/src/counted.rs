//! The counts and the time of a process whose disk fails.

use std::{sync::Arc, time::Instant};

use duet_proxy::{
    admit::Caller,
    decide::{Destination, Destinations},
    queue::Limits,
    tiktok::{Reply, Verdict},
};
use fastrand::Rng;

use crate::{
    clock,
    process::{Options, Process, Who},
    store::{Disk, Fault},
};

fn process(disk: &Disk) -> Process {
    let destination = Destination {
        pixel_id: "P".to_owned(),
        test_event_code: None,
    };
    let options = Options {
        destinations: Destinations {
            first: Arc::new(destination),
            others: Vec::new(),
        },
        limits: Limits {
            events: 10,
            bytes: 1_000_000,
        },
        plant: None,
    };
    Process::start(disk, 1, options).unwrap()
}

/// Accepts an event that TikTok refuses. The commit that stores the event's dead letter fails with this fault.
fn refuse(process: &mut Process, disk: &Disk, fault: Fault) {
    let (now, mut rng) = (Instant::now(), Rng::with_seed(1));
    let body = br#"{"event":"Lead","user":{"external_id":"u"}}"#;
    process.hear(Who::Nobody, body, Caller::Page, &mut rng);
    process.turn(usize::MAX, false);
    let sent = process.deliver(now).remove(0);
    let refused = Reply::Refused {
        verdict: Verdict {
            code: 40_002,
            message: "no".to_owned(),
            request_id: None,
        },
        index: None,
    };
    process.replied(sent.lane, sent.request, refused, now, &mut rng);
    process.deliver(now);
    disk.fails_with(&[fault]);
    process.turn(usize::MAX, false);
}

#[test]
fn a_dead_letter_of_a_failed_commit_is_counted_after_the_store_is_opened_again() {
    for (fault, letters) in [
        (Fault::SyncKeeps, 1),
        (Fault::Late, 1),
        (Fault::SyncLoses, 0),
        (Fault::Torn, 0),
    ] {
        clock::start();
        let disk = Disk::default();
        let mut process = process(&disk);
        refuse(&mut process, &disk, fault);
        assert_eq!(process.facts().dead_letters, 0, "{fault:?}");
        process.turn(usize::MAX, true);
        assert_eq!(process.dead_letters().len(), letters, "{fault:?}");
        assert_eq!(process.facts().dead_letters, letters as u64, "{fault:?}");
        let (came, went) = process.balance();
        assert_eq!((came, went), (1, 1), "{fault:?}");
    }
}

#[test]
fn a_power_failure_does_not_remove_the_time_that_an_idle_store_has_written() {
    clock::start();
    let disk = Disk::default();
    let mut process = process(&disk);
    for hour in 0..30 {
        process.turn(usize::MAX, true);
        assert_eq!(disk.tail(), 0, "unsynced commits after {hour} hours");
        clock::pass(61 * 60 * 1000);
    }
}
