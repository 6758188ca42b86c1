//! JSON objects that keep the order of their fields, because a signature depends on the order.

use serde_json::Value;

#[derive(Clone, Debug, Default)]
pub(super) struct Object(Vec<(&'static str, Field)>);

#[derive(Clone, Debug)]
enum Field {
    Plain(Value),
    Nested(Object),
}

impl Object {
    pub(super) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((key, Field::Plain(value.into())));
        self
    }

    pub(super) fn with_object(mut self, key: &'static str, object: Self) -> Self {
        self.0.push((key, Field::Nested(object)));
        self
    }

    /// Removes the fields without a value.
    pub(super) fn without_nulls(mut self) -> Self {
        let is_null = |field: &Field| matches!(field, Field::Plain(Value::Null));
        self.0.retain(|(_, field)| !is_null(field));
        self
    }

    pub(super) fn reversed(mut self) -> Self {
        self.0.reverse();
        self
    }

    /// Returns the object's fields whose values are not objects.
    pub(super) fn plain(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().filter_map(|(key, field)| match field {
            Field::Plain(value) => Some((*key, value)),
            Field::Nested(_) => None,
        })
    }

    pub(super) fn json(&self) -> String {
        let fields = self.0.iter().map(|(key, field)| {
            let value = match field {
                Field::Plain(value) => value.to_string(),
                Field::Nested(object) => object.json(),
            };
            format!("\"{key}\":{value}")
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}
