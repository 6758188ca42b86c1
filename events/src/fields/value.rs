//! A JSON value. A value is parsed only as deep as the rules for its field need. A whole body is parsed in one pass, because
//! one pass for each level of nesting would cost more than all other work on an event.

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The value of a member.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// A value that is kept as it was written.
    Raw(&'a RawValue),
    Text(Cow<'a, str>),
    Object(Vec<Member<'a>>),
    Array(Vec<Value<'a>>),
    Null,
    Bool(bool),
    Number(Number),
}

/// A number, with its digits if it is an integer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    pub(crate) value: f64,
    integer: Option<i128>,
}

impl Number {
    /// Floating-point numbers represent every integer up to this number exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    /// Reads a JSON token as a number.
    fn of(token: &str) -> Option<Self> {
        let signed = token.parse::<i64>().map(i128::from);
        let integer = signed
            .or_else(|_| token.parse::<u64>().map(i128::from))
            .ok();
        let value = token.parse().ok()?;
        Some(Self { value, integer })
    }

    /// Returns whether a program with only floating-point numbers might have rounded this number.
    pub(crate) fn may_be_rounded(self) -> bool {
        self.value.abs() >= Self::EXACT
    }

    /// Returns whether the number is written with a fraction or an exponent.
    pub(crate) fn is_fractional(self) -> bool {
        self.integer.is_none()
    }

    /// Returns the number as an integer. 7.0 becomes 7. Returns `None` if the number is not whole or may have been rounded.
    pub(crate) fn integer(self) -> Option<i128> {
        #[allow(clippy::cast_possible_truncation, reason = "it is below 2^53")]
        let whole = || {
            let is_whole = !self.may_be_rounded() && self.value % 1.0 == 0.0;
            is_whole.then_some(self.value as i128)
        };
        self.integer.or_else(whole)
    }
}

/// A value without nested values.
#[derive(Clone, Debug)]
pub(crate) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(Number),
    Bool(bool),
    /// A value of another kind, such as an object, an array or `null`. Contains the kind in words.
    Other(&'static str),
}

impl Scalar<'_> {
    /// Returns whether the value is `""`, which counts as absent.
    pub(crate) fn is_empty_text(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// Returns whether the value is text, a number or a boolean.
    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Returns the type of the value in words.
    pub(crate) fn got(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Other(other) => other,
        }
    }
}

/// A member's name and value. The value is `None` after it was read.
pub(crate) type Member<'a> = (Cow<'a, str>, Option<Value<'a>>);

impl<'a> Value<'a> {
    pub(crate) fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Raw(raw) => raw.get() == "null",
            _ => false,
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        match self {
            Self::Object(_) => true,
            Self::Raw(raw) => raw.get().starts_with('{'),
            _ => false,
        }
    }

    pub(crate) fn scalar(self) -> Scalar<'a> {
        match self {
            Self::Text(text) => Scalar::Text(text),
            Self::Number(number) => Scalar::Number(number),
            Self::Bool(bool) => Scalar::Bool(bool),
            Self::Object(_) => Scalar::Other("an object"),
            Self::Array(_) => Scalar::Other("an array"),
            Self::Null => Scalar::Other("null"),
            Self::Raw(raw) => scalar(raw.get()),
        }
    }

    /// Returns the string, or `None` for any other type.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self.scalar() {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements of an array.
    ///
    /// # Errors
    /// Returns the value itself if it is not an array.
    pub(crate) fn array(self) -> Result<Vec<Self>, Self> {
        match self {
            Self::Array(values) => Ok(values),
            Self::Raw(raw) => serde_json::from_str::<Vec<&RawValue>>(raw.get())
                .map(|values| values.into_iter().map(Self::Raw).collect())
                .map_err(|_| self),
            _ => Err(self),
        }
    }
}

fn scalar(token: &str) -> Scalar<'_> {
    match token.as_bytes().first() {
        Some(b'"') => {
            let plain = token
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            match plain {
                Some(plain) if !plain.contains('\\') => Scalar::Text(Cow::Borrowed(plain)),
                _ => serde_json::from_str(token).map_or(Scalar::Other("malformed text"), |text| {
                    Scalar::Text(Cow::Owned(text))
                }),
            }
        }
        Some(b'{') => Scalar::Other("an object"),
        Some(b'[') => Scalar::Other("an array"),
        Some(b'n') => Scalar::Other("null"),
        Some(b't') => Scalar::Bool(true),
        Some(b'f') => Scalar::Bool(false),
        _ => Number::of(token).map_or(Scalar::Other("no number"), Scalar::Number),
    }
}

/// The kind of an object. The kind decides which members are parsed: the texts, objects and arrays that the object's rules
/// read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// An event, or a batch of events.
    Event,
    /// An object whose members are texts.
    Texts,
    Properties,
    Content,
    /// An object whose members stay as they were written.
    Sealed,
}

impl Kind {
    /// Returns how the value of a member is parsed. Returns `None` if the value is kept as it was written.
    fn of_member(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Event, "user" | "page") => Some(Self::Texts),
            (Self::Event, "properties") => Some(Self::Properties),
            (Self::Event, "events") => Some(Self::Event),
            (Self::Properties, "contents") => Some(Self::Content),
            (
                Self::Event,
                "event" | "event_id" | "consent" | "pixel" | "pixel_id" | "test_event_code",
            )
            | (Self::Properties, "currency" | "order_id")
            | (
                Self::Properties | Self::Content,
                "content_id" | "content_name" | "content_category" | "content_type" | "brand",
            )
            | (Self::Texts, _) => Some(Self::Sealed),
            _ => None,
        }
    }
}

/// Parses an object. Some values cannot be parsed but can be skipped, such as a number that is too large for a floating-point
/// number. If an object contains such a value, all its members are kept as they were written until they are read.
pub(crate) fn open(text: &str, kind: Kind) -> serde_json::Result<Vec<Member<'_>>> {
    members(text, kind).or_else(|_| members(text, Kind::Sealed))
}

fn members(text: &str, kind: Kind) -> serde_json::Result<Vec<Member<'_>>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = Members(kind).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(members)
}

/// Reads an object of this kind.
struct Members(Kind);

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(Name(name)) = map.next_key()? {
            let value = match self.0.of_member(&name) {
                Some(kind) => map.next_value_seed(Opened(kind))?,
                None => Value::Raw(map.next_value()?),
            };
            members.push((name, Some(value)));
        }
        Ok(members)
    }
}

/// Reads any value. If the value is an object, or an array with objects, these objects have this kind.
struct Opened(Kind);

impl<'de> DeserializeSeed<'de> for Opened {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Opened {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.into())))
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        Members(self.0).visit_map(map).map(Value::Object)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut array: S) -> Result<Self::Value, S::Error> {
        let mut values = Vec::new();
        while let Some(value) = array.next_element_seed(Self(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(bool))
    }

    #[allow(clippy::cast_precision_loss, reason = "the digits are kept beside it")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let integer = Some(number.into());
        Ok(Value::Number(Number {
            value: number as f64,
            integer,
        }))
    }

    #[allow(clippy::cast_precision_loss, reason = "the digits are kept beside it")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        let integer = Some(number.into());
        Ok(Value::Number(Number {
            value: number as f64,
            integer,
        }))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(Number {
            value,
            integer: None,
        }))
    }
}

/// A member's name. A name without escapes is borrowed.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.into())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        Claim, EventId,
        claim::Stated,
        fields::{Fields, Place},
    };

    /// Prints the whole result of parsing an event, for comparison.
    fn made_of(text: &str, kind: Kind) -> String {
        let members = members(text, kind).unwrap();
        let stated = Stated::single(Fields::of(members, Place::Outermost));
        match Claim::read(stated, None) {
            Ok(claim) => {
                let told = format!("{claim:?}");
                let event = claim.into_event(EventId::parse("a").unwrap(), 1);
                told + &serde_json::to_string(&event).unwrap()
            }
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    fn anything() -> impl Strategy<Value = String> {
        let plain = prop::sample::select(
            &[
                "null",
                "true",
                "0",
                "-1.5",
                "1e3",
                r#""""#,
                r#""a\u00e9\n""#,
                r#""lan@example.com""#,
                r#""+84901234567""#,
                r#""VND""#,
                r#""product""#,
                r#""https://shop.example/?ttclid=x""#,
                "{}",
                "[]",
                r#"["a",null]"#,
                r#"[{"content_id":"a","price":1.50,"x":[1,{"y":2}]},{"quantity":-1}]"#,
                r#"{"email":["a@b.vn"],"url":"x","value":1,"contents":[[]],"note":{"deep":[1.0]}}"#,
            ][..],
        );
        plain.prop_map(String::from)
    }

    fn object(names: &'static [&'static str]) -> impl Strategy<Value = String> {
        let member = (prop::sample::select(names), anything());
        prop::collection::vec(member, 0..6).prop_map(|members| {
            let members = members.iter();
            let members: Vec<_> = members
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        })
    }

    prop_compose! {
        fn event()(
            event in object(&["event_id", "event_time", "pixel", "consent", "user", "page", "properties", "x"]),
            user in object(&["email", "phone", "userId", "city", "ttclid", "ip", "x"]),
            page in object(&["url", "referrer", "x"]),
            properties in object(&[
                "contents", "content_id", "content_type", "value", "currency", "order_id", "description", "email", "x",
            ]),
        ) -> String {
            let named = r#"{"event":"Lead""#;
            let rest = event.strip_prefix('{').unwrap();
            let comma = if rest == "}" { "" } else { "," };
            format!(r#"{named},"user":{user},"page":{page},"properties":{properties}{comma}{rest}"#)
        }
    }

    proptest! {
        #[test]
        fn what_is_opened_at_once_reads_as_what_is_opened_when_it_is_asked_for(text in event()) {
            prop_assert_eq!(made_of(&text, Kind::Event), made_of(&text, Kind::Sealed));
        }
    }

    #[test]
    fn a_number_beyond_every_number_is_the_fault_of_its_field_alone() {
        let text =
            r#"{"event":"Lead","user":{"email":1e999},"page":{"url":"https://shop.example/"}}"#;
        assert!(members(text, Kind::Event).is_err());
        let fields = Fields::outermost(text, Kind::Event).unwrap();
        let claim = Claim::read(Stated::single(fields), None).unwrap();
        let [warning] = claim.warnings.as_slice() else {
            panic!("{:?}", claim.warnings)
        };
        assert_eq!((&*warning.field, &*warning.rule), ("user.email", "string"));
        assert!(claim.page.url.is_some());
    }
}
