//! A reverse proxy that serves the web app under a sub-path, as people mount it beside other things.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The longest request head that is passed on.
const HEAD_BYTES_MAX: u64 = 64 * 1024;

/// A proxy that lives as long as this value.
pub struct ReverseProxy {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl ReverseProxy {
    /// Passes what comes under `prefix` (`/name`, without a slash at its end) on to `upstream`, without the prefix.
    pub fn start(prefix: &'static str, upstream: SocketAddr) -> Self {
        Self::start_beside(prefix, upstream, upstream)
    }

    /// As [`ReverseProxy::start`], but WebSockets are passed on to `web_sockets`.
    pub fn start_beside(prefix: &'static str, upstream: SocketAddr, web_sockets: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let acceptor = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                for client in listener.incoming() {
                    if is_over.load(Ordering::Acquire) {
                        return;
                    }
                    // A browser that goes away in the middle of a request is everyday life for a proxy.
                    std::thread::spawn(move || {
                        client.and_then(|client| pass_on(client, prefix, upstream, web_sockets)).ok()
                    });
                }
            }
        });
        Self { address, is_over, acceptor: Some(acceptor) }
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ReverseProxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // The acceptor looks up once a connection comes.
        let _woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ended = acceptor.join();
        }
    }
}

/// One request with its answer, or one WebSocket to its end.
fn pass_on(
    mut client: TcpStream,
    prefix: &str,
    upstream: SocketAddr,
    web_sockets: SocketAddr,
) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?.take(HEAD_BYTES_MAX));
    let mut head: Vec<String> = Vec::new();
    while head.last().is_none_or(|line| line != "\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        head.push(line);
    }
    let is_named = |line: &str, name| line.split(':').next().is_some_and(|it| it.eq_ignore_ascii_case(name));
    let is_web_socket = head.iter().any(|line| is_named(line, "upgrade"));
    if !is_web_socket {
        // One request a connection, so that the end of the answer is the end of the connection.
        head.retain(|line| !is_named(line, "connection"));
        head.insert(1, "Connection: close\r\n".to_owned());
    }
    let (method, rest) = head[0].split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
    let Some(path) = rest.strip_prefix(prefix).filter(|path| path.starts_with('/')) else {
        return client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    head[0] = format!("{method} {path}");
    let mut server = TcpStream::connect(if is_web_socket { web_sockets } else { upstream })?;
    server.write_all(head.concat().as_bytes())?;
    server.write_all(reader.buffer())?;
    let mut to_server = server.try_clone()?;
    let mut from_client = client.try_clone()?;
    let upward = std::thread::spawn(move || {
        let _copied = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Write)
    });
    let _copied = io::copy(&mut server, &mut client);
    // Also ends the copy upward, which may wait for a client that says nothing more.
    let _closed = client.shutdown(Shutdown::Both);
    let _ended = upward.join();
    Ok(())
}
