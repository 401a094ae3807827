//! JSON text: JSON that is kept for long and looked at now and then. As text it takes a tenth of what it takes as a tree.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value, as its text. Equal values have equal texts, for objects are sorted by their keys.
#[derive(Clone, Debug)]
pub struct JsonText(Arc<RawValue>);

// === impl JsonText ===

impl JsonText {
    /// Keeps what `value` serializes to, whose fields are in the order of their names.
    pub fn of(value: &impl Serialize) -> Self {
        serde_json::value::to_raw_value(value).map_or_else(|_| Self::default(), Self::from)
    }

    /// The value as a type; nothing where it does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// The length of its text in bytes.
    pub fn text_len(&self) -> usize {
        self.0.get().len()
    }

    /// The value.
    pub fn value(&self) -> Value {
        // It was a value before it was a text.
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A part of such a text is one, too, and is kept as it stands.
impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::from)
    }
}

impl From<Box<RawValue>> for JsonText {
    fn from(text: Box<RawValue>) -> Self {
        Self(text.into())
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.get() == other.0.get()
    }
}

impl Eq for JsonText {}

/// `null`.
impl Default for JsonText {
    fn default() -> Self {
        RawValue::NULL.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_comes_back_and_its_order_does_not_matter() {
        let value = json!({"b": [1, "two", null], "a": {"d": true, "c": -7}});
        assert_eq!(JsonText::of(&value).value(), value);
        let other: Value =
            serde_json::from_str(r#"{"a":{"c":-7,"d":true},"b":[1,"two",null]}"#).unwrap();
        assert_eq!(JsonText::of(&value), JsonText::of(&other));
        assert_eq!(JsonText::default().value(), Value::Null);
    }
}
