//! TikTok's answers: HTTP 200, and the result in the body's `code`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::personal::sha256_hex;
use crate::validate::Refusal;

pub(crate) const OK: u32 = 0;
pub(crate) const PARTIAL: u32 = 20001;
pub(crate) const INVALID: u32 = 40002;
pub(crate) const TOO_FREQUENT: u32 = 40100;
pub(crate) const WRONG_TOKEN: u32 = 40105;

/// A result before it is written as an answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u32,
    pub(crate) message: String,
    /// TikTok leaves this key out of the answers to some failures.
    pub(crate) data: Option<Value>,
}

impl Reply {
    pub(crate) fn ok() -> Self {
        Self {
            code: OK,
            message: "OK".to_owned(),
            data: Some(json!({})),
        }
    }

    pub(crate) fn failure(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn refusal(refusal: &Refusal, pixel: &str) -> Self {
        let message = if refusal.code == INVALID {
            invalid_field(&refusal.finding.field, &refusal.finding.message)
        } else {
            format!(
                "No permission to operate pixel code: {pixel}. Check the pixel and the token's owner."
            )
        };
        Self::failure(refusal.code, message)
    }

    pub(crate) fn json(&self, request_id: &str) -> String {
        let mut body =
            json!({ "code": self.code, "message": self.message, "request_id": request_id });
        if let (Some(fields), Some(data)) = (body.as_object_mut(), &self.data) {
            fields.insert("data".to_owned(), data.clone());
        }
        body.to_string()
    }
}

/// Returns TikTok's message for an invalid field. The message names a nested field by its path with dots. The message names
/// a top-level field of an event only by the field's name, without the event's index.
pub(crate) fn invalid_field(field: &str, problem: &str) -> String {
    let parts: Vec<&str> = field.split('.').collect();
    match parts.as_slice() {
        [name] | ["data", _, name] => format!("Invalid value for {name}: {problem}."),
        _ => {
            let mut letters = problem.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            format!(
                "{field}: {}{}",
                first.into_iter().collect::<String>(),
                letters.as_str()
            )
        }
    }
}

/// Returns the message for a code in TikTok's documents.
pub(crate) fn words_for(code: u32) -> &'static str {
    match code {
        OK => "OK",
        PARTIAL => "Partial success",
        40001 => "No permission to operate pixel code",
        INVALID => "Invalid parameter",
        40007 => "Object does not exist",
        40016 | TOO_FREQUENT | 40101 | 40102 => "Too many requests. Please retry in some time.",
        WRONG_TOKEN | 40110 | 40133 => "Access token is incorrect or has been revoked.",
        50000 => "System error",
        50002 => "Internal service error",
        51001 | 51002 | 51039 => "Internal service timed out, please retry later.",
        60001 => "The service is under maintenance.",
        _ => "API error",
    }
}

/// Returns a request id: `YYYYMMDDHHMMSS` and 20 upper-case hex digits. `serial` makes the id unique.
pub(crate) fn request_id(now_ms: u64, serial: u64) -> String {
    let seconds = i64::try_from(now_ms / 1000).unwrap_or(0);
    let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let digits = sha256_hex(format!("{now_ms}/{serial}").as_bytes());
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}{}",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second(),
        digits.get(..20).unwrap_or_default().to_ascii_uppercase()
    )
}

pub(crate) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Returns the answer of a gateway in front of TikTok: a page, not JSON.
pub(crate) fn gateway_page(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    let title = format!("{} {reason}", status.as_u16());
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    respond(status, "text/html", page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_has_the_documented_form() {
        let id = request_id(1_767_323_045_000, 7);
        assert_eq!(id.len(), 34);
        assert!(id.starts_with("20260102030405"), "{id}");
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
        );
        assert_ne!(id, request_id(1_767_323_045_000, 8));
    }

    #[test]
    fn only_nested_fields_say_which_event_they_are_in() {
        assert_eq!(
            invalid_field("data.3.event_id", "not a valid string"),
            "Invalid value for event_id: not a valid string."
        );
        assert_eq!(
            invalid_field(
                "data.0.properties.contents.0.content_id",
                "not a valid string"
            ),
            "data.0.properties.contents.0.content_id: Not a valid string"
        );
    }
}
