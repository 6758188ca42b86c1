//! The visitor's choice about tracking, and what it means for calls. Both legs follow the same choice.

/// The visitor's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Events are sent on both legs.
    Granted,
    /// The visitor has not chosen yet. All data stays in this page's memory, and the Pixel's script is not requested.
    Pending,
    /// Nothing is stored and nothing is sent.
    Denied,
}

impl Consent {
    /// All choices with their names in the page's API, in the order of their numbers.
    pub const ALL: [(Self, &str); 3] = [
        (Self::Granted, "granted"),
        (Self::Pending, "pending"),
        (Self::Denied, "denied"),
    ];

    /// Returns the choice with this number. An unknown number counts as a denial, so that it cannot allow sending.
    pub fn read(number: u32) -> Self {
        match number {
            0 => Self::Granted,
            2 => Self::Denied,
            _ => Self::Pending,
        }
    }
}

/// How a call is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The event is sent.
    Open,
    /// The call is repeated after the next `init` or change of consent.
    Held,
    /// Nothing is sent and nothing is stored.
    Denied,
}

impl Gate {
    /// All values with their names in the page's code, in the order of their numbers.
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
