//! Tests Duet's promises with the real binaries over real HTTP. Each module tests one promise.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic makes the test fail"
)]
#![allow(
    clippy::print_stdout,
    reason = "some tests print what happened in a run, although it is no failure"
)]

mod alarms;
mod answers;
mod bears_pressure;
mod behind_a_web_server;
mod bursts;
mod clerk;
mod cluster;
mod console;
mod counts_add_up;
mod counts_once;
mod damaged_files;
mod dead_letters;
mod delivers;
mod dies_at_any_moment;
mod disk_trouble;
mod doctor;
mod events;
mod every_fault;
mod failed_syncs;
mod faulty_disk;
mod forgeries;
mod healthcheck;
mod holds_money;
mod keeps_secrets;
mod logs;
mod loses_nothing;
mod manifests;
mod moves_house;
mod moves_queue;
mod narrows;
mod openapi;
mod operates;
mod orders;
mod origins;
mod outage;
mod pays;
mod private_files;
mod provider_pages;
mod providers;
mod reads_headers;
mod rejects_early;
mod servers;
mod settings;
mod two_pixels;
mod upgrades;
mod waits;
mod why;
mod wrong_clock;
