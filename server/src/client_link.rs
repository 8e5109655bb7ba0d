//! The shared client machine on a TCP socket: what a device inside this process, or a bridge, connects with.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use hearth_protocol::connection::{Client, ClientEvent, ProtocolError};
use hearth_protocol::packet::Disconnect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clock::Clock;

/// How long opening the socket may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long the goodbye may take.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// Bytes of room that a read is given.
const READ_BYTES: usize = 4 * 1024;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The server closed it, or said that it does.
    #[error("the server closed the connection")]
    Closed,
    /// The server broke a rule, or was silent for too long.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// A client and its connection, which can be made again and again.
#[derive(Debug)]
pub(crate) struct ClientLink {
    client: Client,
    address: SocketAddr,
    /// Bytes that each connection begins with.
    greeting: &'static [u8],
    clock: Clock,
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    input: BytesMut,
    /// Taken from the client and not yet with the kernel.
    output: BytesMut,
}

impl ClientLink {
    /// A link that is not connected.
    pub(crate) fn new(client: Client, address: SocketAddr, clock: Clock) -> Self {
        Self { client, address, greeting: &[], clock, connection: None }
    }

    /// The same with bytes that each connection begins with, before any packet.
    pub(crate) fn with_greeting(self, greeting: &'static [u8]) -> Self {
        Self { greeting, ..self }
    }

    /// Opens the socket; CONNECT goes out with the next [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// The socket cannot be had.
    pub(crate) async fn connect(&mut self) -> io::Result<()> {
        self.drop_connection();
        let socket = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(self.address)).await??;
        socket.set_nodelay(true)?;
        let output = BytesMut::from(self.greeting);
        self.connection = Some(Connection { socket, input: BytesMut::new(), output });
        self.client.handle_open(self.clock.now());
        Ok(())
    }

    /// The client, to ask it for something: what it has to send goes out with the next
    /// [`next_event`](Self::next_event).
    pub(crate) const fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Moves bytes and time until something happens. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The connection has ended; [`connect`](Self::connect) makes the next one.
    pub(crate) async fn next_event(&mut self) -> Result<ClientEvent, LinkError> {
        loop {
            if let Some(event) = self.client.poll_event() {
                return Ok(event);
            }
            if self.client.is_closing() {
                self.say_goodbye().await;
                self.drop_connection();
                return Err(LinkError::Closed);
            }
            if let Err(error) = self.step().await {
                if matches!(error, LinkError::Protocol(_)) {
                    self.say_goodbye().await;
                }
                self.drop_connection();
                return Err(error);
            }
        }
    }

    /// Says goodbye and closes.
    pub(crate) async fn close(mut self, disconnect: Disconnect) {
        self.client.disconnect(self.clock.now(), disconnect);
        self.say_goodbye().await;
    }

    /// Sends what the client has left to say, within its time.
    async fn say_goodbye(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        connection.take_output(&mut self.client);
        let goodbye = async {
            connection.socket.write_all(&connection.output).await?;
            connection.socket.shutdown().await
        };
        // A server that does not take it sees the connection end, and knows what that means.
        if !matches!(tokio::time::timeout(CLOSE_MAX, goodbye).await, Ok(Ok(()))) {
            tracing::debug!(address = %self.address, "a client closed without its DISCONNECT");
        }
    }

    /// One read, one write or one timer.
    async fn step(&mut self) -> Result<(), LinkError> {
        let Some(connection) = &mut self.connection else { return Err(LinkError::Closed) };
        connection.take_output(&mut self.client);
        let deadline = self.client.poll_timeout().map(|time| self.clock.instant(time).into());
        let timer = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let Connection { socket, input, output } = connection;
        let (mut reader, mut writer) = socket.split();
        input.reserve(READ_BYTES);
        tokio::select! {
            written = writer.write_buf(output), if !output.is_empty() => {
                written?;
            }
            read = reader.read_buf(input) => {
                if read? == 0 {
                    return Err(LinkError::Closed);
                }
                self.client.handle_input(self.clock.now(), input)?;
            }
            () = timer => self.client.handle_timeout(self.clock.now())?,
        }
        Ok(())
    }

    fn drop_connection(&mut self) {
        if self.connection.take().is_some() {
            self.client.handle_close(self.clock.now());
        }
    }
}

impl Connection {
    fn take_output(&mut self, client: &mut Client) {
        if let Some(output) = client.take_output() {
            self.output.unsplit(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use hearth_protocol::codec;
    use hearth_protocol::connection::ClientOptions;
    use hearth_protocol::packet::{ConnAck, ConnAckProperties, Packet, Publish};
    use hearth_protocol::{QoS, ReasonCode, Text, TopicName, Version};
    use tokio::net::TcpListener;

    use super::*;

    /// The other end, packet by packet.
    struct Peer {
        socket: TcpStream,
        input: BytesMut,
    }

    impl Peer {
        async fn accept(listener: &TcpListener) -> Self {
            Self { socket: listener.accept().await.unwrap().0, input: BytesMut::new() }
        }

        async fn receive(&mut self) -> Packet {
            loop {
                if let Some(packet) = codec::decode(&mut self.input, Version::V5, 1 << 20).unwrap() {
                    return packet;
                }
                assert_ne!(
                    self.socket.read_buf(&mut self.input).await.unwrap(),
                    0,
                    "the client is still there"
                );
            }
        }

        async fn send(&mut self, packet: &Packet) {
            let mut output = BytesMut::new();
            codec::encode(packet, Version::V5, &mut output).unwrap();
            self.socket.write_all(&output).await.unwrap();
        }

        /// Takes a connection as a server does.
        async fn welcome(&mut self) {
            assert!(matches!(self.receive().await, Packet::Connect(_)));
            self.send(&Packet::ConnAck(Box::new(accepted(false)))).await;
        }
    }

    fn accepted(session_present: bool) -> ConnAck {
        let properties = ConnAckProperties::default();
        ConnAck { session_present, reason: ReasonCode::Success, properties }
    }

    async fn link() -> (ClientLink, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut options = ClientOptions::new(Text::try_from("tester").unwrap());
        // The session outlives the connection: without that nothing may go out again.
        options.properties.session_expiry = Some(60);
        let link = ClientLink::new(Client::new(options), listener.local_addr().unwrap(), Clock::start());
        (link, listener)
    }

    fn message(qos: QoS, payload: &'static [u8]) -> Publish {
        let topic = TopicName::new(Text::try_from("a/b").unwrap()).unwrap();
        let payload = bytes::Bytes::from_static(payload);
        Publish { dup: false, qos, retain: false, topic, packet_id: None, payload, properties: None }
    }

    #[tokio::test]
    async fn a_message_that_was_not_acknowledged_goes_out_again_on_the_next_connection() {
        let (mut link, listener) = link().await;
        link.connect().await.unwrap();
        let now = link.clock.now();
        let server = async {
            let mut peer = Peer::accept(&listener).await;
            peer.welcome().await;
            let Packet::Publish(first) = peer.receive().await else { panic!("a message comes") };
            assert!(!first.dup);
            drop(peer);
            first
        };
        let client = async {
            assert!(matches!(link.next_event().await, Ok(ClientEvent::Connected { .. })));
            link.client().publish(now, message(QoS::AtLeastOnce, b"once")).unwrap();
            assert!(matches!(link.next_event().await, Err(LinkError::Closed | LinkError::Socket(_))));
            assert!(!link.client().is_connected());
        };
        let (first, ()) = tokio::join!(server, client);
        link.client().options_mut().clean_start = false;
        link.connect().await.unwrap();
        let server = async {
            let mut peer = Peer::accept(&listener).await;
            assert!(matches!(peer.receive().await, Packet::Connect(_)));
            peer.send(&Packet::ConnAck(Box::new(accepted(true)))).await;
            let Packet::Publish(again) = peer.receive().await else { panic!("the message comes again") };
            assert_eq!((again.dup, again.packet_id), (true, first.packet_id));
        };
        let client = async {
            assert!(matches!(link.next_event().await, Ok(ClientEvent::Connected { .. })));
            tokio::time::timeout(Duration::from_secs(5), link.next_event()).await
        };
        let (_, ended) = tokio::join!(server, client);
        assert!(matches!(ended, Ok(Err(_))), "the server is gone, and that is seen at once: {ended:?}");
    }

    #[tokio::test]
    async fn closing_says_goodbye() {
        let (mut link, listener) = link().await;
        link.connect().await.unwrap();
        let server = async {
            let mut peer = Peer::accept(&listener).await;
            peer.welcome().await;
            assert!(matches!(peer.receive().await, Packet::Disconnect(_)));
            assert_eq!(
                peer.socket.read_buf(&mut peer.input).await.unwrap(),
                0,
                "and then the connection ends"
            );
        };
        let client = async {
            assert!(matches!(link.next_event().await, Ok(ClientEvent::Connected { .. })));
            link.close(Disconnect::new(ReasonCode::Success)).await;
        };
        tokio::join!(server, client);
    }

    #[tokio::test]
    async fn a_server_that_talks_nonsense_ends_the_connection() {
        let (mut link, listener) = link().await;
        link.connect().await.unwrap();
        let server = async {
            let mut peer = Peer::accept(&listener).await;
            peer.socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            peer
        };
        let (_peer, ended) = tokio::join!(server, link.next_event());
        assert!(matches!(ended, Err(LinkError::Protocol(_))), "{ended:?}");
    }
}
