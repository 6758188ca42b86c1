//! The little JSON this module writes itself. It reads none: the page does that.

use alloc::string::String;

/// A JSON object under construction, still without its closing brace.
#[derive(Clone, Debug)]
pub struct Object(String);

impl Default for Object {
    fn default() -> Self {
        Self(String::from("{"))
    }
}

impl Object {
    /// Adds a member whose value is JSON already.
    pub fn raw(&mut self, name: &str, json: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(json);
    }

    /// Adds a text, unless it is empty.
    pub fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.raw(name, &quoted(value));
        }
    }

    /// The object so far, for someone who goes on writing it.
    pub fn open(self) -> String {
        self.0
    }

    /// The finished object.
    pub fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Puts members of JSON text in front of those `object` has.
pub fn prepend(members: Object, object: &str) -> String {
    let mut text = members.open();
    let rest = object.strip_prefix('{').unwrap_or("}");
    if !text.ends_with('{') && rest != "}" {
        text.push(',');
    }
    text.push_str(rest);
    text
}

/// A text as JSON.
pub fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            // A control character has no business in any text that is written here.
            '\0'..='\u{1f}' => {}
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_commas_between_its_members_only() {
        let mut object = Object::default();
        object.text("none", "");
        object.text("a", "x");
        object.raw("b", "1");
        assert_eq!(object.close(), r#"{"a":"x","b":1}"#);
        assert_eq!(Object::default().close(), "{}");
    }

    #[test]
    fn text_cannot_break_out_of_its_quotes() {
        let mut object = Object::default();
        object.text("url", "https://shop.example/?q=\"\\\n\u{1f}đ");
        assert_eq!(object.close(), r#"{"url":"https://shop.example/?q=\"\\đ"}"#);
    }

    #[test]
    fn members_are_put_in_front_of_what_is_there() {
        let mut more = Object::default();
        more.text("currency", "VND");
        assert_eq!(prepend(more.clone(), "{}"), r#"{"currency":"VND"}"#);
        assert_eq!(
            prepend(more, r#"{"value":1}"#),
            r#"{"currency":"VND","value":1}"#
        );
        assert_eq!(
            prepend(Object::default(), r#"{"value":1}"#),
            r#"{"value":1}"#
        );
    }
}
