//! The state of the page at the time of a call.

/// The state of the page at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Milliseconds since 1970, by the visitor's clock.
    pub now_ms: f64,
    /// A random number from 0 (included) to 1 (excluded).
    pub random: f64,
    /// Whether the Pixel's result is known.
    pub pixel_known: bool,
}
