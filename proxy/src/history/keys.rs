//! The names of the match keys that an event had, without their values.

use duet_events::User;
use serde::{Deserialize, Serialize};

/// The match keys of an event, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Keys(u16);

/// A match key. The number of a key is its bit in the store, so the sequence of the keys must never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are TikTok's")]
pub enum Key {
    Ttclid,
    Ttp,
    Email,
    Phone,
    ExternalId,
    Ip,
    UserAgent,
    FirstName,
    LastName,
    ZipCode,
    City,
    State,
    Country,
    Locale,
}

impl Key {
    /// Every key, sorted by its bit.
    pub const ALL: [Self; 14] = [
        Self::Ttclid,
        Self::Ttp,
        Self::Email,
        Self::Phone,
        Self::ExternalId,
        Self::Ip,
        Self::UserAgent,
        Self::FirstName,
        Self::LastName,
        Self::ZipCode,
        Self::City,
        Self::State,
        Self::Country,
        Self::Locale,
    ];

    /// Returns the key's name at TikTok.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ttclid => "ttclid",
            Self::Ttp => "ttp",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::ExternalId => "external_id",
            Self::Ip => "ip",
            Self::UserAgent => "user_agent",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::ZipCode => "zip_code",
            Self::City => "city",
            Self::State => "state",
            Self::Country => "country",
            Self::Locale => "locale",
        }
    }
}

impl Keys {
    /// Returns whether the event had this key.
    pub fn has(self, key: Key) -> bool {
        self.0 & 1 << key as u16 != 0
    }

    /// Returns the keys that the event had.
    pub fn iter(self) -> impl Iterator<Item = Key> {
        Key::ALL.into_iter().filter(move |key| self.has(*key))
    }

    /// Returns whether TikTok could match the event with a person, like [`User::is_matchable`].
    pub fn is_matchable(self) -> bool {
        [
            Key::Ttclid,
            Key::Ttp,
            Key::Email,
            Key::Phone,
            Key::ExternalId,
        ]
        .into_iter()
        .any(|key| self.has(key))
            || self.has(Key::Ip) && self.has(Key::UserAgent)
    }
}

impl FromIterator<Key> for Keys {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let bits = keys.into_iter().map(|key| 1 << key as u16);
        Self(bits.fold(0, |all, bit: u16| all | bit))
    }
}

impl From<&User> for Keys {
    fn from(user: &User) -> Self {
        let had = [
            user.ttclid.is_some(),
            user.ttp.is_some(),
            !user.email.is_empty(),
            !user.phone.is_empty(),
            !user.external_id.is_empty(),
            user.ip.is_some(),
            user.user_agent.is_some(),
            user.first_name.is_some(),
            user.last_name.is_some(),
            user.zip_code.is_some(),
            user.city.is_some(),
            user.state.is_some(),
            user.country.is_some(),
            user.locale.is_some(),
        ];
        let keys = Key::ALL.into_iter().zip(had);
        keys.filter_map(|(key, had)| had.then_some(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_bit_of_its_own() {
        for (index, key) in Key::ALL.into_iter().enumerate() {
            assert_eq!(key as usize, index);
            let keys: Keys = [key].into_iter().collect();
            assert_eq!(keys.iter().collect::<Vec<_>>(), [key]);
        }
    }

    #[test]
    fn a_user_can_be_matched_by_the_same_keys_as_its_bits() {
        let mut user = User::default();
        assert!(!Keys::from(&user).is_matchable());
        user.ip = Some([203, 0, 113, 9].into());
        assert_eq!(Keys::from(&user).is_matchable(), user.is_matchable());
        user.user_agent = Some("UA".to_owned());
        assert!(Keys::from(&user).is_matchable() && user.is_matchable());
        assert_eq!(Keys::from(&user).iter().count(), 2);
    }
}
