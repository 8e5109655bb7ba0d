//! HTTP/1.1 as bare as a test wants it: one request a connection, every header in sight.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::process::PATIENCE;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Asks for `path` with these headers beside `Host` and `Connection: close`.
#[track_caller]
pub fn fetch(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    exchange(server, &format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{more}\r\n"))
}

/// Asks for a WebSocket at `path` with these headers beside those that the handshake needs; an answer other than
/// 101 comes with its body.
#[track_caller]
pub fn upgrade(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    );
    exchange(server, &request)
}

/// Sends bytes as a request and reads one answer.
#[track_caller]
pub fn exchange(server: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(server).expect("the server takes a connection");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at;
        }
        read_some(&mut stream, &mut bytes, request);
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).expect("the head of an answer is text");
    let mut answer = Answer::from_head(&head);
    answer.body = bytes.split_off(head_end + 4);
    if answer.status == 101 {
        return answer;
    }
    if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse().unwrap();
        while answer.body.len() < length {
            read_some(&mut stream, &mut answer.body, request);
        }
    } else if answer.header("transfer-encoding").is_some() {
        while !answer.body.ends_with(b"0\r\n\r\n") {
            read_some(&mut stream, &mut answer.body, request);
        }
        answer.body = joined(&answer.body);
    }
    answer
}

impl Answer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _value)| it == name).map(|(_name, value)| value.as_str())
    }

    /// A header that must be there.
    #[track_caller]
    pub fn expect_header(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no header {name} in {:?}", self.headers))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn from_head(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Self { status: status.expect("a status line comes first"), headers, body: Vec::new() }
    }
}

/// The chunks of a body (RFC 9112, 7.1) without their lengths.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|it| it == b"\r\n").expect("a chunk begins with its length");
        let len = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        let (chunk, rest) = chunks[end + 2..].split_at(len);
        if len == 0 {
            return body;
        }
        body.extend_from_slice(chunk);
        chunks = rest.strip_prefix(b"\r\n").expect("a chunk ends with its line");
    }
}

#[track_caller]
fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>, request: &str) {
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer) {
        Ok(0) => panic!("the connection ended in the middle of the answer to {request:?}: {bytes:?}"),
        Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        Err(error) => panic!("no answer to {request:?}: {error}; so far {bytes:?}"),
    }
}
