//! The little JSON this module writes itself. It reads none: the page does that.

use alloc::string::String;

use crate::joined::put;

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
    #[inline(never)]
    pub fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        put(&mut self.0, json);
    }

    /// Adds a text, unless it is empty.
    #[inline(never)]
    pub fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.name(name);
            quote(&mut self.0, value);
        }
    }

    /// Puts the members of `object`, JSON text, behind those there are.
    pub fn members(&mut self, object: &str) {
        if object.len() > 2 {
            separate(&mut self.0);
            put(
                &mut self.0,
                object.get(1..object.len() - 1).unwrap_or_default(),
            );
        }
    }

    /// The object so far, for someone who goes on writing it.
    pub fn open(self) -> String {
        self.0
    }

    /// Goes on writing an object.
    pub fn resume(open: String) -> Self {
        Self(open)
    }

    /// The finished object.
    pub fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        separate(&mut self.0);
        quote(&mut self.0, name);
        self.0.push(':');
    }
}

fn separate(object: &mut String) {
    if !object.ends_with('{') {
        object.push(',');
    }
}

/// Writes a text as JSON.
#[inline(never)]
pub fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        // A control character has no business in any text that is written here.
        if character >= ' ' {
            out.push(character);
        }
    }
    out.push('"');
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
    fn members_of_another_object_go_behind() {
        let with = |members| {
            let mut object = Object::default();
            object.text("currency", "VND");
            object.members(members);
            object.close()
        };
        assert_eq!(with("{}"), r#"{"currency":"VND"}"#);
        assert_eq!(with(r#"{"value":1}"#), r#"{"currency":"VND","value":1}"#);
        let mut object = Object::default();
        object.members(r#"{"value":1}"#);
        assert_eq!(object.close(), r#"{"value":1}"#);
    }
}
