//! A web server for a page that is not the broker's: a few folders of files under a strict content security policy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};

use crate::process::PATIENCE;

/// Scripts and styles of its own and nothing else; WebSockets to this machine.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                      connect-src 'self' ws://127.0.0.1:*; base-uri 'none'; form-action 'none'";

/// The server; it serves until the tests end.
pub struct Site {
    address: SocketAddr,
}

impl Site {
    /// Serves each folder under its name.
    pub fn start(folders: Vec<(&'static str, PathBuf)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folders = folders.clone();
                std::thread::spawn(move || answer(stream, &folders));
            }
        });
        Self { address }
    }

    /// The address of a file.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

/// Answers one request, and closes; a browser that goes away in the middle is none of the tests' business.
fn answer(mut stream: TcpStream, folders: &[(&str, PathBuf)]) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let path = path.split('?').next().unwrap_or_default();
    let (status, kind, body) = match file(path, folders) {
        Some((kind, body)) => ("200 OK", kind, body),
        // Browsers ask for it by themselves, and complain in the console where there is none.
        None if path == "favicon.ico" => ("204 No Content", "image/x-icon", Vec::new()),
        None => ("404 Not Found", "text/plain", b"there is no such file".to_vec()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nContent-Security-Policy: {POLICY}\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn file(path: &str, folders: &[(&str, PathBuf)]) -> Option<(&'static str, Vec<u8>)> {
    let (folder, rest) = path.split_once('/')?;
    let (_, folder) = folders.iter().find(|(name, _)| *name == folder)?;
    let rest = Path::new(rest);
    if !rest.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let kind = match rest.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript",
        "css" => "text/css",
        "wasm" => "application/wasm",
        "json" => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    Some((kind, std::fs::read(folder.join(rest)).ok()?))
}
