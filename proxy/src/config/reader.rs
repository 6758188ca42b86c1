//! Reads settings by name and collects their problems.

use std::{collections::BTreeMap, fs, str::FromStr};

use super::{Problem, settings};

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
    /// The values that were read, by the names of their settings.
    values: BTreeMap<&'static str, String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
            values: BTreeMap::new(),
        }
    }

    pub(super) fn problem(&mut self, setting: &'static str, message: impl Into<String>) {
        self.problems.push(Problem {
            setting,
            message: message.into(),
        });
    }

    /// Returns the number of problems so far.
    pub(super) fn problems(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn missing(&mut self, setting: &'static str) {
        if self
            .problems
            .iter()
            .all(|problem| problem.setting != setting)
        {
            self.problem(setting, "is required but not set");
        }
    }

    /// Returns the values of all settings, or all problems.
    pub(super) fn finish(self) -> Result<BTreeMap<&'static str, String>, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(self.values)
        } else {
            Err(self.problems)
        }
    }

    /// Returns whether a setting is given, directly or as a file.
    pub(super) fn is_set(&self, setting: &str) -> bool {
        let is_set = |name: &str| (self.lookup)(name).as_deref().is_some_and(is_given);
        is_set(setting) || is_set(&format!("{setting}_FILE"))
    }

    /// Reads an optional setting, under its own name or an older one.
    pub(super) fn optional_from<T: FromStr<Err = &'static str>>(
        &mut self,
        setting: &'static str,
        others: &[&str],
    ) -> Option<T> {
        let mut names = std::iter::once(&setting).chain(others);
        let text = names.find_map(|name| self.text(setting, name))?;
        self.keep(setting, &text, text.parse())
    }

    /// Reads a setting that has a default.
    pub(super) fn parsed<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let text = self
            .text(setting, setting)
            .or_else(|| settings::default_of(setting).map(str::to_owned))?;
        self.keep(setting, &text, parse(&text))
    }

    /// Reads an optional setting.
    pub(super) fn optional<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let text = self.text(setting, setting)?;
        self.keep(setting, &text, parse(&text))
    }

    /// Reads a list of values with commas between them.
    pub(super) fn list<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Vec<T> {
        let text = self.text(setting, setting).unwrap_or_default();
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        items
            .filter_map(|item| self.keep(setting, item, parse(item)))
            .collect()
    }

    /// Reads a secret from its setting, or from the file that `<setting>_FILE` names. The message of a problem never contains
    /// the secret.
    pub(super) fn secret<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        rule: &'static str,
    ) -> Option<T> {
        let file = self.text(setting, &format!("{setting}_FILE"));
        let text = match (self.text(setting, setting), file) {
            (Some(_), Some(_)) => {
                self.problem(
                    setting,
                    format!("must be set either directly or with {setting}_FILE, got both"),
                );
                return None;
            }
            (None, Some(path)) => match fs::read_to_string(&path) {
                // Some editors write a byte order mark at the beginning of a file. It is invisible and not a part of the
                // secret.
                Ok(text) => self.written(setting, text.trim_start_matches('\u{feff}'))?,
                Err(error) => {
                    self.problem(setting, format!("the file {path} cannot be read: {error}"));
                    return None;
                }
            },
            (text, None) => text?,
        };
        if let Some(end) = quoted_end(&text) {
            self.problem(
                setting,
                format!("must be written without quotes, got an unpaired quote at the {end} of the value"),
            );
            return None;
        }
        let read = parse(&text);
        if read.is_none() {
            self.problem(setting, rule);
        }
        read
    }

    /// Returns the value of the variable `name`, which sets `setting`. An empty variable counts as not set, because compose
    /// files set a variable to an empty text to leave it out.
    fn text(&mut self, setting: &'static str, name: &str) -> Option<String> {
        let text = (self.lookup)(name).filter(|text| is_given(text))?;
        self.written(setting, &text)
    }

    /// Removes the spaces and line breaks around a value, which files often contain.
    fn written(&mut self, setting: &'static str, text: &str) -> Option<String> {
        let text = text.trim();
        if is_quoted(text) {
            self.problem(
                setting,
                "must be written without quotes: the quotes became a part of the value",
            );
            return None;
        }
        if text.contains('\u{fffd}') {
            self.problem(setting, "must be text in UTF-8");
            return None;
        }
        self.values.insert(setting, text.to_owned());
        Some(text.to_owned())
    }

    /// Appends the content of a file that a setting names to the setting's recorded value, so that a change of the file
    /// changes the fingerprint of the setting.
    pub(super) fn content(&mut self, setting: &'static str, text: &str) {
        self.values.entry(setting).or_default().push_str(text);
    }

    fn keep<T>(
        &mut self,
        setting: &'static str,
        text: &str,
        result: Result<T, &'static str>,
    ) -> Option<T> {
        result
            .map_err(|message| self.problem(setting, format!("{message}, got {}", shown(text))))
            .ok()
    }
}

/// Returns a value as the message of a problem can show it. Only a number, an address or a word is shown, because any other
/// value may be a secret that was put into the wrong setting.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 24;
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".:/-".contains(&byte));
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphabetic());
    if text.len() <= LONGEST && (is_number || is_word) {
        text.to_owned()
    } else {
        format!("{} characters", text.chars().count())
    }
}

fn is_given(text: &str) -> bool {
    !text.trim().is_empty()
}

/// Returns at which end a value has a quote, if the other end has none. Such a value was probably cut off.
fn quoted_end(text: &str) -> Option<&'static str> {
    const QUOTES: &str = "\"'`“”„‘’‚«»";
    let is_single = |quote: &char| QUOTES.contains(*quote) && text.matches(*quote).count() % 2 == 1;
    if text.chars().next().as_ref().is_some_and(is_single) {
        Some("beginning")
    } else if text.chars().next_back().as_ref().is_some_and(is_single) {
        Some("end")
    } else {
        None
    }
}

/// Returns whether a value has quotes around it. Such quotes do not belong to the value: they are a shell's quotes that no
/// shell has removed, or quotes that a text editor has added.
pub(super) fn is_quoted(text: &str) -> bool {
    let mut ends = text.chars();
    let (Some(first), Some(last)) = (ends.next(), ends.next_back()) else {
        return false;
    };
    match first {
        '"' | '\'' | '`' => first == last,
        '“' | '„' => matches!(last, '”' | '“'),
        '‘' | '‚' => matches!(last, '’' | '‘'),
        '«' => last == '»',
        _ => false,
    }
}
