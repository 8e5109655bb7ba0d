//! MQTT without WebSocket: over TCP or a unix socket.

use bytes::BytesMut;
use hearth_broker::Transport;

use super::accept::{Accepted, Acceptor};
use super::door::{Door, Visitor};
use crate::socket::Socket;

/// Accepts connections until the broker stops.
pub(crate) async fn serve(acceptor: Acceptor, door: Door) {
    let stop = door.stop().clone();
    let accepting = async {
        // Nobody closes the semaphore, so that this ends only by the stop.
        while let Some(permit) = door.place().await {
            let Accepted { socket, address } = acceptor.accept().await;
            let transport = transport_of(&socket);
            let (bytes, is_forwarded) = (BytesMut::new(), false);
            let visitor = Visitor { socket, bytes, address, is_forwarded, transport, permit };
            let visited = door.clone();
            door.spawn(async move { visited.receive(visitor).await });
        }
    };
    stop.run_until_cancelled(accepting).await;
}

fn transport_of(socket: &Socket) -> Transport {
    match socket {
        Socket::Tcp(_) => Transport::Tcp,
        #[cfg(unix)]
        Socket::Unix(_) => Transport::Unix,
    }
}
