//! A stand-in for both ends of TikTok, and for a bank, over real HTTP.
//!
//! One [`Sandbox`] answers the Events API (`POST /open_api/v1.3/event/track/`), serves a Pixel script
//! of its own (`GET /i18n/pixel/events.js`) and collects what that script sends (`POST /api/v2/pixel`).
//! It counts conversions across both channels as TikTok documents it, says about every fault in
//! what it was sent what is wrong with it, and misbehaves on request. Its [`Bank`] tells a webhook of payments
//! as SePay does.
//! Beside them stands a fake [`Clerk`](clerk::Clerk), whose session tokens say who is signed in.
//!
//! It promises three things. It judges by the contract alone and shares no code with the senders it
//! judges. It is never silent: whatever it did not expect is a [`Violation`]. And it holds a bounded
//! amount of memory, however long it runs.

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
    Attempt, Auth, BadInstruction, Bank, BankOptions, Direction, Flaw, Format, Instruction,
    Mangling, Telling, Told,
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
