//! Json: a document as a tree, taken apart field by field. One reader for every shape keeps the filter's module small:
//! derived readers of the same shapes took 30 KB more of it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::limits::MAX_WIRE_LEN;
use crate::wire::DecodeError;

/// A JSON value; text without escapes is borrowed from the document.
pub(super) enum Json<'d> {
    Flag(bool),
    Number(u32),
    Text(Cow<'d, str>),
    List(Vec<Self>),
    Object(Object<'d>),
    /// `null`, and numbers that are not of the wire.
    Other,
}

/// A JSON object whose fields are taken out one by one, so that what is left is unknown.
#[derive(Default)]
pub(super) struct Object<'d>(Vec<(Cow<'d, str>, Json<'d>)>);

// === impl Object ===

impl<'d> Object<'d> {
    /// Reads a document.
    pub(super) fn read(bytes: &'d [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_WIRE_LEN {
            return Err(DecodeError::TooLong);
        }
        match serde_json::from_slice(bytes) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(DecodeError::value("", "not an object")),
            Err(error) => Err(DecodeError::Json { line: error.line(), column: error.column() }),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, DecodeError> {
        match self.take(name) {
            None => Ok(false),
            Some(Json::Flag(flag)) => Ok(flag),
            Some(_) => Err(DecodeError::value(name, "neither true nor false")),
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<u32>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(Some(number)),
            Some(_) => Err(DecodeError::value(name, "not a whole number of 32 bits")),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<Cow<'d, str>>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(DecodeError::value(name, "not a string")),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, DecodeError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object)),
            Some(_) => Err(DecodeError::value(name, "not an object")),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Vec<Json<'d>>, DecodeError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Json::List(list)) => Ok(list),
            Some(_) => Err(DecodeError::value(name, "not a list")),
        }
    }

    /// All fields, whatever their names.
    pub(super) fn into_fields(self) -> Vec<(Cow<'d, str>, Json<'d>)> {
        self.0
    }

    /// Nothing may be left: an older reader must not overlook what a newer writer meant.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(DecodeError::value(name, "unknown, or there twice")),
        }
    }

    fn take(&mut self, name: &str) -> Option<Json<'d>> {
        let at = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

// === impl Json ===

impl<'d> Json<'d> {
    pub(super) fn into_object(self) -> Result<Object<'d>, DecodeError> {
        match self {
            Self::Object(object) => Ok(object),
            _ => Err(DecodeError::value("", "not an object")),
        }
    }

    pub(super) fn as_text(&self) -> Result<&str, DecodeError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(DecodeError::value("", "not a string")),
        }
    }
}

impl<'d> Deserialize<'d> for Json<'d> {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'d> Visitor<'d> for AnyJson {
    type Value = Json<'d>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json<'d>, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'d>, E> {
        Ok(u32::try_from(number).map_or(Json::Other, Json::Number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'d>, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'d>, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json<'d>, E> {
        Ok(Json::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'d str) -> Result<Json<'d>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'d>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut elements: A) -> Result<Json<'d>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'d>>(self, mut entries: A) -> Result<Json<'d>, A::Error> {
        let mut fields = Vec::new();
        // A key is a string in JSON, and so never anything else here.
        while let Some(name) = entries.next_key()? {
            let value = entries.next_value()?;
            if let Json::Text(name) = name {
                fields.push((name, value));
            }
        }
        Ok(Json::Object(Object(fields)))
    }
}
