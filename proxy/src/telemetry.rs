//! Logs. Each line reads alone and carries its fields; none holds a token, a key or a person.

use tracing_subscriber::{
    filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

/// The target of a line about what was repaired or left out of one event.
pub const WARNINGS: &str = "duet_warnings";

/// What is logged.
///
/// # Errors
/// A sentence, for the operator.
pub fn filter(text: &str) -> Result<Targets, &'static str> {
    text.parse()
        .map_err(|_| "must be a level such as info, or a filter such as duet_proxy=debug")
}

/// How it is written.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

impl Format {
    /// Reads `DUET_LOG_FORMAT`.
    ///
    /// # Errors
    /// A sentence, for the operator.
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
        // A line that cannot be written must not end the thread that had something to say: it would, because
        // the complaint about it goes to standard error too.
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
