//! What the page was like when something was called.

/// The page at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Milliseconds since 1970, by the visitor's clock.
    pub now_ms: f64,
    /// Chance, from 0 up to 1.
    pub random: f64,
    /// Whether it is known what became of the Pixel.
    pub pixel_known: bool,
}
