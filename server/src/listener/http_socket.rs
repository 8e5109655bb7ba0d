//! A socket under HTTP: gives the bytes first that were read ahead, and does not wait for ever for a slow reader.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::config::WRITE_PROGRESS_BYTES;
use crate::socket::Socket;

/// A socket with what was read from it before.
#[derive(Debug)]
pub(crate) struct HttpSocket {
    socket: Socket,
    /// Read already, and not given yet.
    ahead: BytesMut,
    progress: Progress,
    /// Set between the first byte of a request and the first byte of its response.
    in_request: Arc<AtomicBool>,
}

/// How a slow reader gets on.
#[derive(Debug)]
struct Progress {
    patience: Duration,
    /// Runs since the socket was full; made when that happens first, which for most it never does.
    timer: Option<Pin<Box<Sleep>>>,
    is_running: bool,
    /// Bytes that were taken since it runs.
    taken: usize,
}

impl HttpSocket {
    /// `patience` is what a reader has for each [`WRITE_PROGRESS_BYTES`] of a response.
    pub(crate) fn new(socket: Socket, ahead: BytesMut, patience: Duration) -> Self {
        let progress = Progress { patience, timer: None, is_running: false, taken: 0 };
        Self { socket, ahead, progress, in_request: Arc::default() }
    }

    /// Set between the first byte of a request and the first byte of its response.
    pub(crate) fn in_request(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.in_request)
    }

    /// The socket, and the bytes that were read from it and not given yet.
    pub(crate) fn into_parts(self) -> (Socket, BytesMut) {
        (self.socket, self.ahead)
    }

    /// Sends small writes at once.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) fn ensure_nodelay(&self) -> io::Result<()> {
        self.socket.ensure_nodelay()
    }

    fn poll_written(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.in_request.store(false, Ordering::Relaxed);
        match written {
            Poll::Ready(Ok(len)) => {
                self.progress.on_taken(len);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.progress.poll_patience(context),
        }
    }
}

impl Progress {
    fn on_taken(&mut self, len: usize) {
        self.taken = self.taken.saturating_add(len);
        if self.taken >= WRITE_PROGRESS_BYTES {
            self.is_running = false;
        }
    }

    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        if !self.is_running {
            timer.as_mut().reset(Instant::now() + self.patience);
            self.is_running = true;
            self.taken = 0;
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for HttpSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.ahead.has_remaining() {
            let len = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(len));
        } else {
            ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        }
        if buffer.filled().len() > before {
            self.in_request.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HttpSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.poll_written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.poll_written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Asked for when nothing is left to write.
        self.progress.is_running = false;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn pair(ahead: &[u8], patience: Duration) -> (HttpSocket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        (HttpSocket::new(Socket::Tcp(socket), BytesMut::from(ahead), patience), peer)
    }

    #[tokio::test]
    async fn what_was_read_ahead_comes_first_and_what_is_left_of_it_is_not_lost() {
        let (mut socket, mut peer) = pair(b"GET / HT", Duration::from_secs(1)).await;
        peer.write_all(b"TP/1.1").await.unwrap();
        let mut two = [0; 2];
        socket.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"GE");
        assert!(socket.in_request().load(Ordering::Relaxed));
        let mut rest = [0; 12];
        socket.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"T / HTTP/1.1");

        let (mut socket, _peer) = pair(b"left", Duration::from_secs(1)).await;
        socket.read_exact(&mut two).await.unwrap();
        assert_eq!(&socket.into_parts().1[..], b"ft");
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let (mut socket, _peer) = pair(b"", Duration::from_millis(50)).await;
        let error = socket.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_reader_that_gets_on_is_waited_for() {
        let (mut socket, mut peer) = pair(b"", Duration::from_secs(60)).await;
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).await.unwrap();
            all.len()
        });
        socket.write_all(&vec![0; 16 << 20]).await.unwrap();
        socket.shutdown().await.unwrap();
        assert_eq!(reading.await.unwrap(), 16 << 20);
    }
}
