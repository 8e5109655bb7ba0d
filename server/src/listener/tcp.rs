//! MQTT over plain TCP.

use bytes::BytesMut;
use hearth_broker::Transport;
use tokio::net::TcpListener;

use super::accept::accept;
use super::door::{Door, Visitor};

/// Accepts connections until the broker stops.
pub(crate) async fn serve(listener: TcpListener, door: Door) {
    let stop = door.stop().clone();
    let accepting = async {
        // Nobody closes the semaphore, so that this ends only by the stop.
        while let Some(permit) = door.place().await {
            let (socket, address) = accept(&listener).await;
            let visitor =
                Visitor { socket, bytes: BytesMut::new(), address, transport: Transport::Tcp, permit };
            let visited = door.clone();
            door.spawn(async move { visited.receive(visitor).await });
        }
    };
    stop.run_until_cancelled(accepting).await;
}
