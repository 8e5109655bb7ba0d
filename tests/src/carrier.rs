//! What carries a device's packets, with blocking sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, Message, WebSocket};

use crate::process::PATIENCE;

/// How long reading waits for something.
const MOMENT: Duration = Duration::from_millis(50);

/// An open connection; dropping it cuts it.
pub enum Carrier {
    Tcp(TcpStream),
    WebSocket(Box<WebSocket<TcpStream>>),
}

/// What reading brought.
pub enum Arrival {
    Bytes,
    Nothing,
    End,
}

impl Carrier {
    #[track_caller]
    pub fn tcp(broker: SocketAddr) -> Self {
        Self::Tcp(connect(broker))
    }

    /// With the subprotocol of MQTT.
    ///
    /// # Panics
    /// The broker does not take the handshake, or does not name the subprotocol in its answer.
    #[track_caller]
    pub fn web_socket(broker: SocketAddr, path: &str) -> Self {
        let mut request = format!("ws://{broker}{path}").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
        let stream = connect(broker);
        // The handshake is one exchange, which a moment may be too short for.
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, answer) = tungstenite::client(request, stream).expect("the broker takes the handshake");
        assert_eq!(answer.headers().get("Sec-WebSocket-Protocol").unwrap(), "mqtt");
        socket.get_ref().set_read_timeout(Some(MOMENT)).unwrap();
        Self::WebSocket(Box::new(socket))
    }

    /// # Errors
    /// The broker has gone away.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::WebSocket(socket) => socket.send(Message::binary(bytes.to_vec())).map_err(io::Error::other),
        }
    }

    /// Waits a moment for bytes and appends them.
    ///
    /// # Panics
    /// A WebSocket brings text, which MQTT forbids [MQTT-6.0.0-1].
    #[track_caller]
    pub fn read(&mut self, input: &mut BytesMut) -> Arrival {
        match self {
            Self::Tcp(stream) => {
                let mut buffer = [0; 16 * 1024];
                match stream.read(&mut buffer) {
                    Ok(0) => Arrival::End,
                    Ok(count) => {
                        input.extend_from_slice(&buffer[..count]);
                        Arrival::Bytes
                    }
                    Err(error) => nothing_or_end(&error),
                }
            }
            Self::WebSocket(socket) => match socket.read() {
                Ok(Message::Binary(bytes)) => {
                    input.extend_from_slice(&bytes);
                    Arrival::Bytes
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => Arrival::Nothing,
                Ok(Message::Close(_)) => Arrival::End,
                Ok(other) => panic!("the broker sends {other:?}"),
                Err(Error::Io(error)) => nothing_or_end(&error),
                Err(_closed) => Arrival::End,
            },
        }
    }
}

#[track_caller]
fn connect(broker: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(broker).expect("the broker takes a connection");
    stream.set_read_timeout(Some(MOMENT)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn nothing_or_end(error: &io::Error) -> Arrival {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Arrival::Nothing,
        _ => Arrival::End,
    }
}
