//! The pixels of the shop: the pixel in the environment variables, and the pixels in `DUET_PIXELS_FILE`. The proxy reads the
//! whole file and all token files that it names, and reports every problem at once.

use std::{path::PathBuf, str::FromStr};

use super::{Origin, TestMode, reader::Reader, settings};
use crate::secret::AccessToken;

mod file;

const SETTING: &str = "DUET_PIXELS_FILE";

/// A pixel code: 10 to 40 capital letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PixelId(String);

impl PixelId {
    /// Returns the code as TikTok writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PixelId {
    type Err = &'static str;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let fits = (10..=40).contains(&code.len());
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !fits || !code.bytes().all(plain) {
            return Err(
                "must be the pixel code: 10 to 40 capital letters and digits, such as C4A1B2C3D4E5F6G7H8I9",
            );
        }
        // Besides the pixel code, Events Manager shows a number of the pixel, in its pages and in their addresses. The Events
        // API does not accept this number.
        if code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(
                "must be the pixel code, such as C4A1B2C3D4E5F6G7H8I9, but this is the number of the pixel: Events Manager shows the pixel code under the pixel's name",
            );
        }
        Ok(Self(code.to_owned()))
    }
}

/// A pixel and its settings.
#[derive(Clone, Debug)]
pub struct Pixel {
    /// `TIKTOK_PIXEL_ID`, or `pixel_id` in the file.
    pub id: PixelId,
    /// `TIKTOK_ACCESS_TOKEN`, or the content of the file that `access_token_file` names.
    pub access_token: AccessToken,
    /// The origins whose pages may name the pixel.
    pub origins: Origins,
    /// The pixel's test mode, from `test_event_code` in the file. If the file has none, from `TIKTOK_TEST_EVENT_CODE`.
    pub test: Option<TestMode>,
}

/// The origins whose pages may name a pixel.
#[derive(Clone, Debug)]
pub enum Origins {
    /// The proxy's own origin and the origins in `DUET_ALLOWED_ORIGINS`, for a pixel that is not in the file.
    Allowed,
    /// The `origins` of the pixel in the file.
    Listed(Vec<Origin>),
}

/// The pixels of the shop. The first pixel receives events that name no pixel and come from no listed origin.
#[derive(Clone, Debug)]
pub struct Pixels {
    first: Pixel,
    others: Vec<Pixel>,
}

impl Pixels {
    /// Returns the first pixel.
    pub fn first(&self) -> &Pixel {
        &self.first
    }

    /// Returns all pixels, beginning with the first.
    pub fn iter(&self) -> impl Iterator<Item = &Pixel> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Returns every origin that the file lists.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.iter().flat_map(|pixel| match &pixel.origins {
            Origins::Allowed => &[][..],
            Origins::Listed(origins) => origins,
        })
    }
}

/// The pixels of the variables and of the file, before they are combined.
pub(super) struct Stated {
    /// The pixel of the variables, and its token if a variable contains the token.
    own: Option<(PixelId, Option<AccessToken>)>,
    listed: Vec<Pixel>,
}

impl Stated {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let id = reader.optional_from("TIKTOK_PIXEL_ID", &[settings::PIXEL_ID_ALIAS]);
        let has_file = reader.is_set(SETTING);
        if id.is_none() && !has_file {
            reader.missing("TIKTOK_PIXEL_ID");
        }
        let token = reader.secret(
            "TIKTOK_ACCESS_TOKEN",
            AccessToken::new,
            "must be printable ASCII without spaces",
        );
        let file = reader.optional(SETTING, |text| Ok(PathBuf::from(text)));
        let listed = file.and_then(|file| file::read(reader, &file));
        let is_listed = |id: &PixelId| {
            let mut listed = listed.iter().flatten();
            listed.any(|pixel| pixel.id == *id)
        };
        let is_needed = match &id {
            // If the file has problems, the proxy does not know whether the file lists this pixel, so a missing token is not
            // reported.
            Some(id) if has_file => listed.is_some() && !is_listed(id),
            _ => !has_file,
        };
        if token.is_none() && is_needed {
            reader.missing("TIKTOK_ACCESS_TOKEN");
        }
        Self {
            own: id.map(|id| (id, token)),
            listed: listed.unwrap_or_default(),
        }
    }

    /// Combines the pixels of the variables and of the file. `test` applies to pixels that have no test event code of their
    /// own. Returns `None` if the settings have a problem.
    pub(super) fn together(self, test: Option<&TestMode>) -> Option<Pixels> {
        let mut list = self.listed;
        if let Some((id, token)) = self.own {
            let first = match list.iter().position(|pixel| pixel.id == id) {
                // The file's token takes precedence over the variable's, because the file can change while the proxy runs.
                Some(place) => list.remove(place),
                None => Pixel {
                    id,
                    access_token: token?,
                    origins: Origins::Allowed,
                    test: None,
                },
            };
            list.insert(0, first);
        }
        for pixel in &mut list {
            pixel.test = pixel.test.take().or_else(|| test.cloned());
        }
        let mut list = list.into_iter();
        Some(Pixels {
            first: list.next()?,
            others: list.collect(),
        })
    }
}

#[cfg(test)]
mod tests;
