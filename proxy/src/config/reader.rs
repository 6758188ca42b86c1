//! Reads settings by name and collects what is wrong with them.

use std::{fs, str::FromStr};

use super::{Problem, settings};

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, setting: &'static str, message: impl Into<String>) {
        self.problems.push(Problem {
            setting,
            message: message.into(),
        });
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

    pub(super) fn finish(self) -> Result<(), Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(self.problems)
        }
    }

    /// Whether a setting is given, itself or as a file.
    pub(super) fn is_set(&self, setting: &str) -> bool {
        let is_set = |name: &str| (self.lookup)(name).as_deref().is_some_and(is_given);
        is_set(setting) || is_set(&format!("{setting}_FILE"))
    }

    /// A setting that has to be there, under its name or an older one.
    pub(super) fn required_from<T: FromStr<Err = &'static str>>(
        &mut self,
        setting: &'static str,
        others: &[&str],
    ) -> Option<T> {
        let mut names = std::iter::once(&setting).chain(others);
        let Some(text) = names.find_map(|name| self.text(setting, name)) else {
            self.missing(setting);
            return None;
        };
        self.keep(setting, &text, text.parse())
    }

    /// A setting that has a default.
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

    /// A setting that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let text = self.text(setting, setting)?;
        self.keep(setting, &text, parse(&text))
    }

    /// Values with commas between them.
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

    /// A value that may also stand in the file that `<setting>_FILE` names. It is never repeated.
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
                    format!("both {setting} and {setting}_FILE are set"),
                );
                return None;
            }
            (None, Some(path)) => match fs::read_to_string(&path) {
                // Some editors write a byte order mark, which nobody sees.
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
                format!("must be written without quotes, got one at its {end} alone"),
            );
            return None;
        }
        let read = parse(&text);
        if read.is_none() {
            self.problem(setting, rule);
        }
        read
    }

    /// What is given under `name` for a setting. An empty variable is an absent one: that is how compose files leave
    /// settings out.
    fn text(&mut self, setting: &'static str, name: &str) -> Option<String> {
        let text = (self.lookup)(name).filter(|text| is_given(text))?;
        self.written(setting, &text)
    }

    /// A value as its author wrote it, without the blanks and line ends that files leave around it.
    fn written(&mut self, setting: &'static str, text: &str) -> Option<String> {
        let text = text.trim();
        if is_quoted(text) {
            self.problem(
                setting,
                "must be written without quotes: they came as a part of the value",
            );
            return None;
        }
        if text.contains('\u{fffd}') {
            self.problem(setting, "must be text in UTF-8");
            return None;
        }
        Some(text.to_owned())
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

/// A value as a problem may repeat it: a number, an address, a word. Anything else may be a secret in the wrong place.
fn shown(text: &str) -> String {
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

/// At which end of a value a quote stands that has no other: half of what its author wrote is lost.
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

/// Whether quotes that a shell would take away, or a text program put there, are still around a value.
fn is_quoted(text: &str) -> bool {
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
