//! Sessions that the server does not store. A session is the time of its end, signed with the console's token. A session is
//! therefore valid at every proxy that has the same token, also after a restart. A new token makes all earlier sessions
//! invalid.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use crate::secret::ConsoleToken;

/// How long a session lasts, in milliseconds.
pub(super) const LASTS_MS: i64 = 12 * 60 * 60 * 1000;
/// The purpose of the signature, which is a part of the signed text. So a signature for another purpose is not a valid session.
const PURPOSE: &str = "duet-console-session/1";

/// Signs and verifies sessions.
pub(super) struct Sessions(hmac::Key);

impl Sessions {
    pub(super) fn of(token: &ConsoleToken) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, token.expose()))
    }

    /// Returns a new session, for a cookie.
    pub(super) fn begin(&self, now_ms: i64) -> String {
        let end_ms = now_ms + LASTS_MS;
        let signature = hmac::sign(&self.0, signed(end_ms).as_bytes());
        format!("{end_ms}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns whether the text is a session that has not ended. A session that ends later than a session that begins now is
    /// not valid, because a wrong clock has begun it.
    pub(super) fn is_valid(&self, session: &str, now_ms: i64) -> bool {
        let parsed = session.split_once('.').and_then(|(end, signature)| {
            let end_ms: i64 = end.parse().ok()?;
            Some((end_ms, URL_SAFE_NO_PAD.decode(signature).ok()?))
        });
        parsed.is_some_and(|(end_ms, signature)| {
            let is_signed = hmac::verify(&self.0, signed(end_ms).as_bytes(), &signature).is_ok();
            is_signed && (now_ms..=now_ms.saturating_add(LASTS_MS)).contains(&end_ms)
        })
    }
}

fn signed(end_ms: i64) -> String {
    format!("{PURPOSE} {end_ms}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn sessions(token: &str) -> Sessions {
        Sessions::of(&ConsoleToken::new(token).unwrap())
    }

    #[test]
    fn a_session_lasts_twelve_hours() {
        let sessions = sessions("canary-token-of-the-console");
        let session = sessions.begin(NOW_MS);
        for (later_ms, expected) in [
            (0, true),
            (LASTS_MS, true),
            (LASTS_MS + 1, false),
            (i64::MAX - NOW_MS, false),
            (-1, false),
        ] {
            assert_eq!(
                sessions.is_valid(&session, NOW_MS + later_ms),
                expected,
                "{later_ms}"
            );
        }
    }

    #[test]
    fn a_new_token_ends_every_session() {
        let session = sessions("canary-token-of-the-console").begin(NOW_MS);
        assert!(sessions("canary-token-of-the-console").is_valid(&session, NOW_MS));
        assert!(!sessions("another-token-of-the-console").is_valid(&session, NOW_MS));
    }

    #[test]
    fn a_changed_session_is_not_valid() {
        let sessions = sessions("canary-token-of-the-console");
        let session = sessions.begin(NOW_MS);
        let (end, signature) = session.split_once('.').unwrap();
        let later = NOW_MS + LASTS_MS - 1;
        for forged in [
            String::new(),
            ".".to_owned(),
            end.to_owned(),
            format!("{end}."),
            format!(".{signature}"),
            format!("{later}.{signature}"),
            format!("+{end}.{signature}x"),
            format!("{end}.{}", signature.to_lowercase()),
            format!("{end}.{signature}="),
        ] {
            assert!(!sessions.is_valid(&forged, NOW_MS), "{forged}");
        }
    }
}
