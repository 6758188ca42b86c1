//! What the visitor's choice lets out. One switch for both legs.

/// The visitor's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Both legs run.
    Granted,
    /// Not chosen yet: everything stays in this page's memory, the Pixel's script is not requested.
    Pending,
    /// Nothing is kept and nothing is sent.
    Denied,
}

impl Consent {
    /// Reads the page's number for it. A choice nobody knows must not let anything out.
    pub fn read(number: u32) -> Self {
        match number {
            0 => Self::Granted,
            2 => Self::Denied,
            _ => Self::Pending,
        }
    }
}
