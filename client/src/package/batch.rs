//! The messages of one WebSocket frame on their way to JavaScript: four words each, so that one call takes them all.

use hearth_protocol::packet::Publish;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::JsValue;

use super::properties;
use super::sink::Sink;

/// In the second word, above the two bits of the QoS.
const RETAIN: u32 = 1 << 2;
const DUP: u32 = 1 << 3;
/// The next of the extras belongs to this message.
const EXTRA: u32 = 1 << 4;
/// The payload is in the extra, since it began in an earlier frame.
const CARRIED: u32 = 1 << 5;

/// Words whose memory is kept from frame to frame.
const IDLE_WORDS: usize = 16 << 10;

/// What is told at once.
#[derive(Debug)]
pub(super) struct Taken {
    frame: ArrayBuffer,
    words: Vec<u32>,
    extras: Array,
}

/// What waits to be told. A message is its route, its flags, and where in the frame its payload is and how long: JavaScript
/// makes a view of the frame where somebody asks for the payload, and nothing is copied.
#[derive(Debug, Default)]
pub(super) struct Batch {
    frame: Option<(ArrayBuffer, usize)>,
    words: Vec<u32>,
    extras: Array,
}

impl Batch {
    /// What is added from now on came in this frame, whose copy begins at `address`.
    pub(super) fn begin(&mut self, frame: &ArrayBuffer, address: usize) {
        self.frame = Some((frame.clone(), address));
    }

    /// Adds a message.
    pub(super) fn push(&mut self, route: u32, message: &Publish) {
        let mut flags = u32::from(message.qos.bits());
        flags |= if message.retain { RETAIN } else { 0 } | if message.dup { DUP } else { 0 };
        let place = self.place(&message.payload);
        let properties = message.properties.as_deref().and_then(properties::of_message);
        if properties.is_some() || place.is_none() {
            flags |= EXTRA;
            let properties = properties.map_or(JsValue::UNDEFINED, JsValue::from);
            let payload = match place {
                Some(_) => JsValue::UNDEFINED,
                None => Uint8Array::from(&message.payload[..]).into(),
            };
            self.extras.push(&Array::of2(&properties, &payload));
        }
        let (offset, length) = place.unwrap_or_default();
        flags |= if place.is_none() { CARRIED } else { 0 };
        self.words.extend([route, flags, offset, length]);
    }

    /// Takes what there is, to tell it while this batch is free for more.
    pub(super) fn take(&mut self) -> Option<Taken> {
        let (frame, _) = self.frame.as_ref().filter(|_| !self.words.is_empty())?;
        let frame = frame.clone();
        let extras = std::mem::take(&mut self.extras);
        Some(Taken { frame, words: std::mem::take(&mut self.words), extras })
    }

    /// Gives back the memory of what was told, unless it was uncommonly much.
    pub(super) fn reuse(&mut self, mut taken: Taken) {
        if self.words.is_empty() && taken.words.capacity() <= IDLE_WORDS {
            taken.words.clear();
            self.words = taken.words;
        }
    }

    /// Where in the frame a payload is: it is a slice of the frame's copy, unless it began before it.
    fn place(&self, payload: &[u8]) -> Option<(u32, u32)> {
        if payload.is_empty() {
            return Some((0, 0));
        }
        let (frame, address) = self.frame.as_ref()?;
        let offset = payload.as_ptr().addr().checked_sub(*address)?;
        let end = offset + payload.len();
        let place = (u32::try_from(offset).ok()?, u32::try_from(payload.len()).ok()?);
        (end <= frame.byte_length() as usize).then_some(place)
    }
}

impl Taken {
    /// Tells it.
    pub(super) fn tell(&self, sink: &Sink) {
        sink.messages(&self.frame, &self.words, &self.extras);
    }
}
