//! Finds the known name that the sender of an unknown name probably meant.

/// The largest number of wrong letters in a misspelt name.
const MISSPELT: usize = 2;

/// Returns the name in `known` that is nearest to `name`, however far it is.
pub(crate) fn nearest<'k>(name: &str, known: &[&'k str]) -> &'k str {
    let name = Letters::of(name);
    let nearest = known
        .iter()
        .min_by_key(|known| name.distance(&Letters::of(known)));
    nearest.copied().unwrap_or_default()
}

/// Returns the name in `guarded` that differs from `name` only in case or in at most two letters.
pub(crate) fn misspelt<'g>(name: &str, guarded: &[&'g str]) -> Option<&'g str> {
    let name = Letters::of(name);
    let is_near = |guarded: &&&str| name.distance(&Letters::of(guarded)) <= MISSPELT;
    guarded.iter().find(is_near).copied()
}

/// The longest name that is compared. All field names are shorter.
const LONGEST: usize = 32;

/// The letters and digits of a name. Invisible characters and the differences between `pixelId`, `pixel-id` and `pixel_id`
/// are removed. The letters are stored on the stack, because a body can contain thousands of unknown names.
struct Letters {
    letters: [char; LONGEST],
    count: usize,
}

impl Letters {
    fn of(name: &str) -> Self {
        let mut letters = ['\0'; LONGEST];
        let mut count = 0;
        for (place, letter) in letters
            .iter_mut()
            .zip(name.chars().filter(|c| c.is_alphanumeric()))
        {
            *place = letter.to_ascii_lowercase();
            count += 1;
        }
        Self { letters, count }
    }

    fn iter(&self) -> impl Iterator<Item = char> {
        self.letters.into_iter().take(self.count)
    }

    /// Returns how many letters must be changed, added or removed to turn one name into the other. If the lengths of the names
    /// differ too much, returns only the difference of the lengths.
    fn distance(&self, other: &Self) -> usize {
        let difference = self.count.abs_diff(other.count);
        if difference > MISSPELT * 4 {
            return difference;
        }
        let mut row: [usize; LONGEST + 1] = core::array::from_fn(|at| at);
        for (at, letter) in self.iter().enumerate() {
            let (mut diagonal, mut left) = (at, at + 1);
            if let Some(first) = row.first_mut() {
                *first = left;
            }
            for (above, known) in row.iter_mut().skip(1).zip(other.iter()) {
                let changed = diagonal + usize::from(letter != known);
                diagonal = *above;
                left = changed.min(left + 1).min(*above + 1);
                *above = left;
            }
        }
        row.get(other.count).copied().unwrap_or(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARDED: [&str; 4] = ["consent", "limited_data_use", "pixel_id", "test_event_code"];

    #[test]
    fn a_distance_counts_letters() {
        for (from, to, letters) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("evnt_time", "event_time", 1),
            ("c\u{f4}nsent", "consent", 1),
            ("\u{200b}con\u{ad}sent\u{a0}", "consent", 0),
        ] {
            let distance = Letters::of(from).distance(&Letters::of(to));
            assert_eq!(distance, letters, "{from} {to}");
        }
    }

    #[test]
    fn two_letters_or_another_case_are_a_misspelling() {
        for (name, guarded) in [
            ("consnt", Some("consent")),
            ("Consent", Some("consent")),
            ("CONSENTS", Some("consent")),
            ("limitedDataUse", Some("limited_data_use")),
            ("limited-data-use", Some("limited_data_use")),
            ("pixelId", Some("pixel_id")),
            ("testEventCode", Some("test_event_code")),
            ("tst_event_cod", Some("test_event_code")),
            ("consent\u{200b}", Some("consent")),
            ("\u{feff}limited_data_use", Some("limited_data_use")),
            ("c\u{f4}ns\u{ea}nt", Some("consent")),
            ("\u{111}\u{1ed3}ng\u{fd}", None),
            ("event_code", None),
            ("pixel_code", None),
            ("conversion", None),
            ("colour", None),
        ] {
            assert_eq!(misspelt(name, &GUARDED), guarded, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_has_a_nearest_one() {
        let known = ["event", "event_id", "event_time", "properties", "user"];
        for (name, near) in [
            ("evnt_time", "event_time"),
            ("eventId", "event_id"),
            ("propertys", "properties"),
            ("users", "user"),
        ] {
            assert_eq!(nearest(name, &known), near);
        }
    }
}
