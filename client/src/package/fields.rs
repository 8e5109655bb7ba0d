//! Reads objects of JavaScript: each field by its name, with what is wrong with it in words.

use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use hearth_protocol::property::UserProperties;
use hearth_protocol::{QoS, Text, TopicName};
use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

/// What is wrong with an argument, as a sentence without its full stop.
#[derive(Debug)]
pub(super) struct Complaint(pub(super) String);

impl Complaint {
    pub(super) fn new(what: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self(format!("{what} {problem}"))
    }
}

/// The fields of an object that are not read yet.
#[derive(Debug)]
pub(super) struct Fields {
    place: &'static str,
    object: JsValue,
    known: Vec<&'static str>,
}

impl Fields {
    /// The fields of what stands at `place`; `undefined` has none.
    pub(super) fn of(place: &'static str, value: &JsValue) -> Result<Self, Complaint> {
        if !value.is_object() && !value.is_undefined() && !value.is_null() {
            return Err(Complaint::new(place, "is no object"));
        }
        Ok(Self { place, object: value.clone(), known: Vec::new() })
    }

    /// Every field must have been asked for: a misspelt option would be left out without a word.
    pub(super) fn finish(self) -> Result<(), Complaint> {
        let Some(object) = self.object.dyn_ref::<Object>() else { return Ok(()) };
        for name in Object::keys(object).iter().filter_map(|name| name.as_string()) {
            if !self.known.contains(&name.as_str()) {
                let known = self.known.join(", ");
                return Err(Complaint::new(self.place, format!("has no field `{name}`; there are {known}")));
            }
        }
        Ok(())
    }

    /// The value of a field, unless it is missing, `undefined` or `null`.
    pub(super) fn value(&mut self, name: &'static str) -> Option<JsValue> {
        self.known.push(name);
        let value = Reflect::get(&self.object, &JsValue::from_str(name)).ok()?;
        (!value.is_undefined() && !value.is_null()).then_some(value)
    }

    /// A nested object.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, Complaint> {
        self.value(name).map(|value| Self::of(name, &value)).transpose()
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<Text>, Complaint> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let text = value.as_string().ok_or_else(|| self.complaint(name, "is no string"))?;
        let text = Text::try_from(text).map_err(|error| self.complaint(name, error))?;
        Ok(Some(text))
    }

    pub(super) fn topic_name(&mut self, name: &'static str) -> Result<Option<TopicName>, Complaint> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        TopicName::new(text).map(Some).map_err(|error| self.complaint(name, error))
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Complaint> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.complaint(name, "is neither true nor false"))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number within the range"
    )]
    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, Complaint> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let (first, last) = (*range.start(), *range.end());
        let number = value.as_f64().filter(|number| number.fract() == 0.0);
        let number = number.filter(|number| f64::from(first) <= *number && *number <= f64::from(last));
        let problem = || self.complaint(name, format!("is no whole number from {first} to {last}"));
        number.map(|number| Some(number as u32)).ok_or_else(problem)
    }

    pub(super) fn number_u16(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u16>,
    ) -> Result<Option<u16>, Complaint> {
        let number = self.number(name, u32::from(*range.start())..=u32::from(*range.end()))?;
        Ok(number.and_then(|number| u16::try_from(number).ok()))
    }

    pub(super) fn qos(&mut self, name: &'static str) -> Result<Option<QoS>, Complaint> {
        let bits = self.number(name, 0..=2)?;
        Ok(bits.and_then(|bits| QoS::from_bits(bits as u8)))
    }

    pub(super) fn bytes(&mut self, name: &'static str) -> Result<Option<Bytes>, Complaint> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let problem = || self.complaint(name, "is no string, ArrayBuffer or Uint8Array");
        bytes_of(&value).map(Some).ok_or_else(problem)
    }

    /// Pairs as a list of two strings each, or as an object.
    pub(super) fn pairs(&mut self, name: &'static str) -> Result<UserProperties, Complaint> {
        let Some(value) = self.value(name) else { return Ok(UserProperties::EMPTY) };
        let pairs = match value.dyn_ref::<Array>() {
            Some(list) => list.clone(),
            None => Object::entries(value.unchecked_ref()),
        };
        let text = |value: JsValue| Text::try_from(value.as_string()?).ok();
        let pair = |pair: JsValue| {
            let pair: Array = pair.dyn_into().ok().filter(|pair: &Array| pair.length() == 2)?;
            Some((text(pair.get(0))?, text(pair.get(1))?))
        };
        let read: Option<UserProperties> = pairs.iter().map(pair).collect();
        read.ok_or_else(|| {
            self.complaint(name, "is neither a list of [name, value] nor an object of strings")
        })
    }

    pub(super) fn complaint(&self, name: &str, problem: impl fmt::Display) -> Complaint {
        Complaint(format!("{}.{name} {problem}", self.place))
    }
}

/// The bytes of a string, a buffer or a view of one.
pub(super) fn bytes_of(value: &JsValue) -> Option<Bytes> {
    if let Some(text) = value.as_string() {
        return Some(Bytes::from(text));
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return Some(Bytes::from(bytes.to_vec()));
    }
    let buffer = value.dyn_ref::<ArrayBuffer>()?;
    Some(Bytes::from(Uint8Array::new(buffer).to_vec()))
}
