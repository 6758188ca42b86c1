//! The body of a request to TikTok. The root of the body names the pixel once, for all events in the body.

/// Returns the JSON of a request for `events` of one pixel. The caller must pass events that are JSON texts, and that all are
/// live or all have the same test event code.
pub fn body<'a>(
    pixel_id: &str,
    test_event_code: Option<&str>,
    events: impl Iterator<Item = &'a [u8]> + Clone,
) -> Vec<u8> {
    let bytes: usize = events.clone().map(|event| event.len() + 1).sum();
    let mut body = Vec::with_capacity(bytes + 256);
    body.extend_from_slice(br#"{"event_source":"web","event_source_id":"#);
    text(&mut body, pixel_id);
    if let Some(code) = test_event_code {
        body.extend_from_slice(br#","test_event_code":"#);
        text(&mut body, code);
    }
    body.extend_from_slice(br#","data":["#);
    for (place, event) in events.enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event);
    }
    body.extend_from_slice(b"]}");
    body
}

fn text(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_and_test_code_stand_at_the_root() {
        let event = br#"{"event":"Lead"}"#.as_slice();
        let of = |code| {
            let body = body("C4A1B2C3D4E5F6G7H8I9", code, [event, event].into_iter());
            String::from_utf8(body).unwrap()
        };
        assert_eq!(
            of(None),
            r#"{"event_source":"web","event_source_id":"C4A1B2C3D4E5F6G7H8I9","data":[{"event":"Lead"},{"event":"Lead"}]}"#
        );
        assert!(of(Some("TEST\"1")).contains(r#","test_event_code":"TEST\"1","data":["#));
    }
}
