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
    /// Reads the page's word for it. A word nobody knows must not let anything out.
    pub fn read(word: &str) -> Self {
        match word {
            "granted" => Self::Granted,
            "denied" => Self::Denied,
            _ => Self::Pending,
        }
    }
}
