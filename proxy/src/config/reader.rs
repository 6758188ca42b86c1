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
            self.problem(setting, "this is required");
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
        self.text(setting).is_some() || self.text(&format!("{setting}_FILE")).is_some()
    }

    /// A setting that has to be there, under its name or an older one.
    pub(super) fn required_from<T: FromStr<Err = &'static str>>(
        &mut self,
        setting: &'static str,
        others: &[&str],
    ) -> Option<T> {
        let names = std::iter::once(&setting).chain(others);
        let Some(text) = names.into_iter().find_map(|name| self.text(name)) else {
            self.missing(setting);
            return None;
        };
        self.keep(setting, text.parse())
    }

    /// A setting that has a default.
    pub(super) fn parsed<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let text = self
            .text(setting)
            .or_else(|| settings::default_of(setting).map(str::to_owned))?;
        self.keep(setting, parse(&text))
    }

    /// A setting that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let text = self.text(setting)?;
        self.keep(setting, parse(&text))
    }

    /// Values with commas between them.
    pub(super) fn list<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Vec<T> {
        let text = self.text(setting).unwrap_or_default();
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        items
            .filter_map(|item| self.keep(setting, parse(item)))
            .collect()
    }

    /// A value that may also stand in the file that `<setting>_FILE` names. It is never repeated.
    pub(super) fn secret<T>(
        &mut self,
        setting: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        rule: &'static str,
    ) -> Option<T> {
        let file = self.text(&format!("{setting}_FILE"));
        let text = match (self.text(setting), file) {
            (Some(_), Some(_)) => {
                self.problem(
                    setting,
                    format!("both {setting} and {setting}_FILE are set"),
                );
                return None;
            }
            (None, Some(path)) => match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) => {
                    self.problem(setting, format!("the file {path} cannot be read: {error}"));
                    return None;
                }
            },
            (text, None) => text?,
        };
        self.keep(setting, parse(&text).ok_or(rule))
    }

    /// An empty variable is an absent one: that is how compose files leave settings out.
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|text| !text.trim().is_empty())
    }

    fn keep<T>(&mut self, setting: &'static str, result: Result<T, &'static str>) -> Option<T> {
        result
            .map_err(|message| self.problem(setting, message))
            .ok()
    }
}
