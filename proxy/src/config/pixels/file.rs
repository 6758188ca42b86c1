//! Reads `DUET_PIXELS_FILE` and the token files that it names, and finds every problem in these files.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Origins, Pixel, PixelId, SETTING};
use crate::{
    admit::is_code,
    config::{
        Origin, TestMode,
        reader::{Reader, is_quoted, shown},
    },
    secret::AccessToken,
};

const KEYS: [&str; 4] = [
    "pixel_id",
    "access_token_file",
    "origins",
    "test_event_code",
];

/// Returns the pixels of the file, or `None` if the file has a problem.
pub(super) fn read(reader: &mut Reader<'_>, file: &Path) -> Option<Vec<Pixel>> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| reader.problem(SETTING, format!("{name} cannot be read: {error}")))
        .ok()?;
    let text = text.trim_start_matches('\u{feff}');
    reader.content(SETTING, text);
    let table = DeTable::parse(text)
        .map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            let message = error.message();
            reader.problem(
                SETTING,
                format!("{name} must be TOML; line {line}: {message}"),
            );
        })
        .ok()?
        .into_inner();
    let before = reader.problems();
    for (key, _) in table.iter().filter(|(key, _)| key.get_ref() != "pixels") {
        let rule = "must have [[pixels]] tables and nothing else";
        reader.problem(SETTING, format!("{name} {rule}, got {}", key.get_ref()));
    }
    let tables = table
        .get("pixels")
        .and_then(|list| list.get_ref().as_array());
    let tables = tables.map_or(&[][..], |list| list);
    if tables.is_empty() {
        reader.problem(
            SETTING,
            format!("{name} must list at least one pixel, in a table that begins with [[pixels]]"),
        );
    }
    let mut pixels = Vec::new();
    let mut ids = Vec::new();
    for (place, table) in tables.iter().enumerate() {
        let Some(table) = table.get_ref().as_table() else {
            reader.problem(
                SETTING,
                format!(
                    "{name}: pixel {} must be a table that begins with [[pixels]]",
                    place + 1
                ),
            );
            continue;
        };
        let id = table.get("pixel_id").and_then(|id| id.get_ref().as_str());
        let id = id.map(str::parse::<PixelId>);
        let mut entry = Entry {
            file,
            pixel: match &id {
                Some(Ok(id)) => id.as_str().to_owned(),
                _ => (place + 1).to_string(),
            },
            table,
            reader,
        };
        if let Some(Ok(id)) = &id {
            if ids.contains(id) {
                let rule = "must differ in each table, but an earlier table has the same pixel_id";
                entry.problem("pixel_id", rule);
            }
            ids.push(id.clone());
        }
        pixels.extend(entry.read(id));
    }
    (reader.problems() == before).then_some(pixels)
}

/// One table of the file.
struct Entry<'a, 'b, 'c> {
    file: &'a Path,
    /// The pixel's code, or the number of the table.
    pixel: String,
    table: &'a DeTable<'a>,
    reader: &'b mut Reader<'c>,
}

impl Entry<'_, '_, '_> {
    fn problem(&mut self, key: &str, message: &str) {
        let (file, pixel) = (self.file.display(), &self.pixel);
        let message = format!("{file}: pixel {pixel}: {key} {message}");
        self.reader.problem(SETTING, message);
    }

    fn read(&mut self, id: Option<Result<PixelId, &'static str>>) -> Option<Pixel> {
        let keys = self.table.keys().map(Spanned::get_ref);
        let unknown = keys.filter(|key| !KEYS.contains(&key.as_ref()));
        for key in unknown.cloned().collect::<Vec<_>>() {
            let rule = format!("is not a key of a pixel; the keys are {}", KEYS.join(", "));
            self.problem(&key, &rule);
        }
        let id = match id {
            Some(Ok(id)) => Some(id),
            Some(Err(rule)) => {
                let got = self.text("pixel_id").map(|text| shown(&text));
                self.problem(
                    "pixel_id",
                    &format!("{rule}, got {}", got.unwrap_or_default()),
                );
                None
            }
            None => {
                self.required("pixel_id");
                None
            }
        };
        let access_token = self.required("access_token_file");
        let access_token = access_token.and_then(|path| self.token(&path));
        let origins = self.origins();
        let code = self.text("test_event_code");
        let code = code.filter(|code| {
            let fits = is_code(code);
            if !fits {
                self.problem("test_event_code", "must be 1 to 64 printable ASCII characters without spaces, as Events Manager shows it");
            }
            fits
        });
        Some(Pixel {
            id: id?,
            access_token: access_token?,
            origins: Origins::Listed(origins),
            test: code.map(|code| TestMode {
                code,
                until_ms: None,
            }),
        })
    }

    fn required(&mut self, key: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.problem(key, "is required but not set");
        }
        self.text(key)
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.table.get(key)?.get_ref();
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            let got = value.type_str();
            self.problem(key, &format!("must be a string, got {got}"));
        }
        text
    }

    /// Reads a token from its file. The path is absolute, or relative to the folder of the pixels file.
    fn token(&mut self, path: &str) -> Option<AccessToken> {
        const KEY: &str = "access_token_file";
        let path = self.file.parent().unwrap_or(Path::new("")).join(path);
        let shown = path.display();
        let mut text = String::new();
        let read = File::open(&path).and_then(|mut file| {
            file.read_to_string(&mut text)?;
            file.metadata()
        });
        let mode = match read {
            Ok(metadata) => metadata.permissions().mode(),
            Err(error) => {
                self.problem(
                    KEY,
                    &format!("must name a file that the proxy can read; {shown}: {error}"),
                );
                return None;
            }
        };
        if mode & 0o004 != 0 {
            self.problem(
                KEY,
                &format!("must name a file that other users cannot read; run chmod o-r {shown}"),
            );
        }
        let text = text.trim_start_matches('\u{feff}').trim();
        self.reader.content(SETTING, text);
        let token = AccessToken::new(text).filter(|_| !is_quoted(text));
        if token.is_none() {
            let rule = if text.is_empty() {
                "must name a file that contains the token, got an empty file"
            } else {
                "must name a file that contains only the token: printable ASCII without spaces and quotes"
            };
            self.problem(KEY, &format!("{rule}: {shown}"));
        }
        token
    }

    fn origins(&mut self) -> Vec<Origin> {
        let Some(list) = self.table.get("origins").map(Spanned::get_ref) else {
            return Vec::new();
        };
        let Some(list) = list.as_array() else {
            let rule = "must be an array of strings, such as [\"https://shop.example\"]";
            self.problem("origins", &format!("{rule}, got {}", list.type_str()));
            return Vec::new();
        };
        let mut origins = Vec::new();
        for origin in list.iter().map(Spanned::get_ref) {
            let read = match origin {
                DeValue::String(text) => text.parse().map_err(|rule: &str| (rule, shown(text))),
                other => Err(("must be an array of strings", other.type_str().to_owned())),
            };
            match read {
                Ok(origin) => origins.push(origin),
                Err((rule, got)) => self.problem("origins", &format!("{rule}, got {got}")),
            }
        }
        origins
    }
}
