//! A binary WebSocket with MQTT's subprotocol; dropping it closes it and silences its callbacks.

use bytes::BytesMut;
use gloo::events::EventListener;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, Event, MessageEvent, WebSocket};

/// What the socket reports.
#[derive(Debug)]
pub enum SocketEvent {
    /// Bytes can be sent.
    Opened,
    /// Bytes came.
    Received(ArrayBuffer),
    /// It is gone, or never came up.
    Closed,
}

/// The socket.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket,
    _listeners: [EventListener; 4],
}

impl Socket {
    /// Begins to connect; `on_event` hears what comes of it.
    ///
    /// # Errors
    /// The browser's own, for an address that it will not even try.
    pub fn open(address: &str, on_event: impl Fn(SocketEvent) + Clone + 'static) -> Result<Self, JsValue> {
        let socket = WebSocket::new_with_str(address, "mqtt")?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let opened = on_event.clone();
        let received = on_event.clone();
        let closed = on_event.clone();
        let failed = on_event;
        let listeners = [
            EventListener::new(&socket, "open", move |_: &Event| opened(SocketEvent::Opened)),
            EventListener::new(&socket, "message", move |event: &Event| {
                // MQTT is binary only [MQTT-6.0.0-1]; a text frame is no ArrayBuffer and ends the connection.
                let data = event.dyn_ref::<MessageEvent>().map(MessageEvent::data);
                match data.and_then(|data| data.dyn_into::<ArrayBuffer>().ok()) {
                    Some(bytes) => received(SocketEvent::Received(bytes)),
                    None => received(SocketEvent::Closed),
                }
            }),
            EventListener::new(&socket, "close", move |_: &Event| closed(SocketEvent::Closed)),
            EventListener::new(&socket, "error", move |_: &Event| failed(SocketEvent::Closed)),
        ];
        Ok(Self { socket, _listeners: listeners })
    }

    /// Sends bytes; the browser queues them.
    ///
    /// # Errors
    /// The browser's own, when the socket is not open.
    pub fn send(&self, bytes: &[u8]) -> Result<(), JsValue> {
        self.socket.send_with_u8_array(bytes)
    }

    /// Bytes that the browser has taken over but not sent yet.
    pub fn buffered_bytes(&self) -> u32 {
        self.socket.buffered_amount()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Fails only for a close code out of range, and there is none here.
        let _ = self.socket.close();
    }
}

/// Appends received bytes to a buffer.
pub fn append(bytes: &ArrayBuffer, buffer: &mut BytesMut) {
    let bytes = Uint8Array::new(bytes);
    let start = buffer.len();
    buffer.resize(start + bytes.length() as usize, 0);
    bytes.copy_to(&mut buffer[start..]);
}
