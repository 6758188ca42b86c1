//! The answer of `duet-proxy --version`: version, commit and features. A bug report needs all of these.

/// Returns the version as one line, without the name of the program.
pub(super) fn version() -> String {
    let commit = option_env!("DUET_COMMIT").unwrap_or("not stated by a development build");
    let features = if cfg!(feature = "dev") { "dev" } else { "none" };
    format!(
        "{} (commit: {commit}; features: {features})",
        env!("CARGO_PKG_VERSION")
    )
}
