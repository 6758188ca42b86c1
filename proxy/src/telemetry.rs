//! Sets up logging. Every module that logs must follow two rules: each line has all its facts in its own fields, so that it
//! can be understood without the other lines, and no line contains a token, a key or personal data.

use tracing_subscriber::{
    filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

/// The target of a log line about a field of one event that was repaired, left out or looks wrong.
pub const WARNINGS: &str = "duet_warnings";

/// Parses `DUET_LOG`.
///
/// # Errors
/// A message for the operator.
pub fn filter(text: &str) -> Result<Targets, &'static str> {
    text.parse()
        .map_err(|_| "must be a level such as info, or a filter such as duet_proxy=debug")
}

/// The format of the log.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    /// Text, for people.
    Text,
    /// JSON, for programs: one object in each line.
    Json,
}

impl Format {
    /// Reads `DUET_LOG_FORMAT`.
    ///
    /// # Errors
    /// A message for the operator.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

/// Starts logging to standard error.
pub fn init(filter: Targets, format: Format) {
    let lines = fmt::layer()
        // A failed write to the log must not end the thread that logs. By default, the subscriber prints the error of the write
        // to standard error too. If standard error is closed, printing panics and ends the thread.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let filtered = registry().with(filter);
    match format {
        Format::Json => filtered.with(lines.json()).init(),
        Format::Text => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            filtered.with(lines.with_ansi(is_terminal)).init();
        }
    }
}
