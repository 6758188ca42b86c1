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
    /// All of them, with what the page's API calls them, as their numbers count them.
    pub const ALL: [(Self, &str); 3] = [
        (Self::Granted, "granted"),
        (Self::Pending, "pending"),
        (Self::Denied, "denied"),
    ];

    /// Reads the page's number for it. A choice nobody knows must not let anything out.
    pub fn read(number: u32) -> Self {
        match number {
            0 => Self::Granted,
            2 => Self::Denied,
            _ => Self::Pending,
        }
    }
}

/// What may become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may go out.
    Open,
    /// It is to be made again after the next `init` or change of consent.
    Held,
    /// Nothing goes out and nothing is kept.
    Denied,
}

impl Gate {
    /// All of them, with what the page's side calls them, as their numbers count them.
    pub const ALL: [(Self, &str); 3] = [
        (Self::Open, "open"),
        (Self::Held, "held"),
        (Self::Denied, "denied"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_has_the_number_of_its_place() {
        for (place, (choice, _)) in Consent::ALL.into_iter().enumerate() {
            assert_eq!(Consent::read(u32::try_from(place).unwrap()), choice);
        }
        assert_eq!(Consent::read(u32::MAX), Consent::Pending);
    }
}
