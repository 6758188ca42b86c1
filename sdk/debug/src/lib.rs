//! The SDK's second module, fetched only with `debug: true`.
//!
//! The module every page loads knows rules by their names; this one knows all of `duet-events`. It
//! checks each call as the proxy will, in the proxy's words, and asks the proxy whether it is well.
//! What it is shown - raw personal values among them - it looks at and forgets.

pub mod check;
#[cfg(target_arch = "wasm32")]
pub mod page;
