//! A fake TikTok with the Events API and the Pixel, and a fake bank, over real HTTP.
//!
//! One [`Sandbox`] answers the Events API (`POST /open_api/v1.3/event/track/`). It also serves its own Pixel script (`GET
//! /i18n/pixel/events.js`) and collects the script's events (`POST /api/v2/pixel`). It counts conversions across both
//! channels as TikTok documents. It reports every mistake in the data that it receives, and it fails on request. Its
//! [`Bank`] sends payment notifications as the providers do. A fake [`Clerk`](clerk::Clerk) issues session tokens of
//! signed-in users.
//!
//! The sandbox promises three things. First, it follows only TikTok's contract and shares no code with the SDK or the
//! proxy. Second, it reports everything unexpected as a [`Violation`]. Third, its memory is bounded, however long it runs.

mod api;
mod bank;
pub mod clerk;
mod clock;
mod collector;
mod connection;
mod conversion;
mod cors;
mod currency;
mod dedup;
mod events_api;
mod faults;
mod in_process;
mod names;
mod network;
mod options;
mod personal;
mod reply;
mod requests;
mod router;
mod rule;
mod sandbox;
mod script;
mod serve;
mod validate;
mod violations;

pub use bank::{
    Attempt, Auth, BadInstruction, Bank, BankOptions, Direction, Flaw, Format, Instruction, Kind,
    Mangling, Provider, Telling, Told, Webhook,
};
pub use clock::Clock;
pub use conversion::{Channel, Conversion, Outcome, Signal, TestEvent};
pub use faults::{ActiveFault, BadInjection, Fault, Injection};
pub use names::canonical;
pub use options::{Limits, Options, Pixel, Windows};
pub use requests::{LoggedRequest, Token};
pub use rule::{Rule, Severity};
pub use sandbox::{Sandbox, Totals};
pub use serve::serve;
pub use violations::Violation;
