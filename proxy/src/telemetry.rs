//! Logs. Each line reads alone and carries its fields; none holds a token, a key or a person.

use tracing_subscriber::{
    filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

/// The target of a line about what was repaired or left out of one event.
pub const WARNINGS: &str = "duet_warnings";

/// Starts logging to standard error.
///
/// # Errors
/// A sentence, when `filter` or `format` is not one.
pub fn init(filter: &str, format: &str) -> Result<(), String> {
    let filter: Targets = filter.parse().map_err(
        |_| "DUET_LOG: this is a level such as info, or a filter such as duet_proxy=debug",
    )?;
    let lines = fmt::layer()
        // A line that cannot be written must not end the thread that had something to say: it would, because
        // the complaint about it goes to standard error too.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let filtered = registry().with(filter);
    match format {
        "json" => filtered.with(lines.json()).init(),
        "text" => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            filtered.with(lines.with_ansi(is_terminal)).init();
        }
        _ => return Err("DUET_LOG_FORMAT: this is text or json".to_owned()),
    }
    Ok(())
}
