//! Sentences, numbers and times in the person's language.

use std::rc::Rc;

use js_sys::{Array, Function, Intl, Object, Reflect};
use wasm_bindgen::JsValue;

use crate::catalogue::Catalogue;
use crate::state::settings::Language;

/// Digits after the decimal point for which a formatter is kept.
const DECIMALS_MAX: usize = 6;

#[derive(Debug)]
struct Formats {
    numbers: [Function; DECIMALS_MAX + 1],
    clock: Function,
    clock_seconds: Function,
    date: Function,
    day: Function,
    moment: Function,
}

/// A language with its formats; clones share them.
#[derive(Clone, Debug)]
pub struct Locale {
    catalogue: &'static Catalogue,
    formats: Rc<Formats>,
}

impl PartialEq for Locale {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.formats, &other.formats)
    }
}

impl Locale {
    /// The locale for a choice, where the browser prefers the language with the tag `browser`.
    pub fn new(language: Language, browser: &str) -> Self {
        let catalogue = Catalogue::of(language, browser);
        // The region of the browser's language counts where the language is the same: 1.5 is 1,5 in de-DE, 1.5 in
        // de-CH. Some builds of Chromium report tags that Intl refuses.
        let well_formed =
            browser.len() >= 2 && browser.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let same = browser.get(..2).is_some_and(|language| language.eq_ignore_ascii_case(catalogue.tag));
        let tag = if well_formed && same { browser } else { catalogue.tag };
        Self { catalogue, formats: Rc::new(Formats::new(tag)) }
    }

    /// The sentences.
    pub const fn catalogue(&self) -> &'static Catalogue {
        self.catalogue
    }

    /// A number with exactly so many digits after the decimal point.
    pub fn number(&self, value: f64, decimals: usize) -> String {
        call(&self.formats.numbers[decimals.min(DECIMALS_MAX)], value)
    }

    /// A whole number.
    pub fn count(&self, value: u64) -> String {
        self.number(value as f64, 0)
    }

    /// The time of day, hours and minutes.
    pub fn clock(&self, at_ms: f64) -> String {
        call(&self.formats.clock, at_ms)
    }

    /// The time of day with seconds.
    pub fn clock_seconds(&self, at_ms: f64) -> String {
        call(&self.formats.clock_seconds, at_ms)
    }

    /// The day: weekday, day and month.
    pub fn date(&self, at_ms: f64) -> String {
        call(&self.formats.date, at_ms)
    }

    /// The day in short: day and month.
    pub fn day(&self, at_ms: f64) -> String {
        call(&self.formats.day, at_ms)
    }

    /// Day and time to the second.
    pub fn moment(&self, at_ms: f64) -> String {
        call(&self.formats.moment, at_ms)
    }
}

impl Formats {
    fn new(tag: &str) -> Self {
        let locales = Array::of1(&JsValue::from_str(tag));
        let number = |decimals: usize| {
            let digits = JsValue::from_f64(decimals as f64);
            let options =
                object(&[("minimumFractionDigits", digits.clone()), ("maximumFractionDigits", digits)]);
            Intl::NumberFormat::new(&locales, &options).format()
        };
        let time = |parts: &[(&str, &str)]| {
            let parts: Vec<(&str, JsValue)> =
                parts.iter().map(|(name, value)| (*name, JsValue::from_str(value))).collect();
            Intl::DateTimeFormat::new(&locales, &object(&parts)).format()
        };
        Self {
            numbers: std::array::from_fn(number),
            clock: time(&[("hour", "2-digit"), ("minute", "2-digit")]),
            clock_seconds: time(&[("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit")]),
            date: time(&[("weekday", "long"), ("day", "numeric"), ("month", "long")]),
            day: time(&[("day", "numeric"), ("month", "short")]),
            moment: time(&[("dateStyle", "medium"), ("timeStyle", "medium")]),
        }
    }
}

fn object(entries: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in entries {
        // Setting a property of a fresh object does not fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object
}

fn call(format: &Function, value: f64) -> String {
    // A formatter throws only for times out of JavaScript's range; the bare number is honest then.
    format
        .call1(&JsValue::UNDEFINED, &JsValue::from_f64(value))
        .ok()
        .and_then(|text| text.as_string())
        .unwrap_or_else(|| value.to_string())
}
