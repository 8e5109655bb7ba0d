//! What no broker can be cheaper than: an epoll loop that hands on bytes.
//!
//! It answers CONNECT and SUBSCRIBE, looks at the topic of a publisher's first message to know its subscribers, and from then on
//! copies packets from socket to socket; QoS 1 and 2 are answered without any memory of them. It checks nothing, keeps
//! nothing and drops nothing, so that a comparison can say how much of a broker's time is the kernel's.

use std::io::{self, Read, Write};

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const EVENTS_MAX: usize = 1024;
const READ_BYTES: usize = 64 << 10;

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBREC: u8 = 5;
const PUBREL: u8 = 6;
const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;

/// The connections.
#[derive(Debug, Default)]
struct Floor {
    links: Vec<Option<Link>>,
    /// Those with output.
    dirty: Vec<usize>,
}

#[derive(Debug)]
struct Link {
    socket: TcpStream,
    is_v5: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    is_dirty: bool,
    filters: Vec<String>,
    /// Who gets what this one publishes, once that is known.
    targets: Option<Vec<usize>>,
    packet_id: u16,
}

/// A packet in a buffer.
#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: u8,
    qos: u8,
    /// Where what stands behind the length begins, and where it ends.
    body: usize,
    end: usize,
}

/// Serves this listener until the process ends.
pub(crate) fn serve(listener: std::net::TcpListener) -> Result<()> {
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut events, mut floor) = (Events::with_capacity(EVENTS_MAX), Floor::default());
    let mut received = vec![0; READ_BYTES];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut socket, Token(floor.links.len()), both)?;
                    floor.links.push(Some(Link::new(socket)));
                }
                continue;
            }
            let Token(number) = event.token();
            floor.mark(number);
            if (event.is_readable() || event.is_read_closed()) && !floor.read(number, &mut received)? {
                floor.links[number] = None;
            }
        }
        floor.flush();
    }
}

impl Floor {
    /// Whether the connection is still there.
    fn read(&mut self, number: usize, received: &mut [u8]) -> Result<bool> {
        loop {
            let Some(link) = self.link(number) else { return Ok(true) };
            match link.socket.read(received) {
                Ok(0) => return Ok(false),
                Ok(len) => link.input.extend_from_slice(&received[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(false),
            }
            let mut input = std::mem::take(&mut link.input);
            let mut taken = 0;
            while let Some(frame) = Frame::parse(&input, taken) {
                self.handle(number, &input, taken, frame)
                    .context("a packet that the generator does not send")?;
                taken = frame.end;
            }
            input.drain(..taken);
            if let Some(link) = self.link(number) {
                link.input = input;
            }
        }
    }

    fn handle(&mut self, number: usize, bytes: &[u8], start: usize, frame: Frame) -> Option<()> {
        let body = &bytes[frame.body..frame.end];
        match frame.kind {
            CONNECT => {
                let link = self.link(number)?;
                link.is_v5 = *body.get(6)? == 5;
                let answer: &[u8] = if link.is_v5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] };
                self.send(number, answer);
            }
            SUBSCRIBE => self.on_subscribe(number, body)?,
            PUBLISH => self.on_publish(number, &bytes[start..frame.end], frame.body - start, frame.qos)?,
            PUBREC => self.send(number, &[0x62, 2, *body.first()?, *body.get(1)?]),
            PUBREL => self.send(number, &[0x70, 2, *body.first()?, *body.get(1)?]),
            PINGREQ => self.send(number, &[0xd0, 0]),
            _ => {}
        }
        Some(())
    }

    fn on_subscribe(&mut self, number: usize, body: &[u8]) -> Option<()> {
        let link = self.link(number)?;
        let (packet_id, mut rest) = body.split_at_checked(2)?;
        if link.is_v5 {
            // The generator asks for no property.
            rest = rest.get(1..)?;
        }
        let mut granted = Vec::new();
        while !rest.is_empty() {
            let (filter, after) = text(rest)?;
            link.filters.push(filter.to_owned());
            granted.push(after.first()? & 3);
            rest = &after[1..];
        }
        let is_v5 = link.is_v5;
        let len = u8::try_from(2 + usize::from(is_v5) + granted.len()).ok()?;
        let mut answer = vec![0x90, len, packet_id[0], packet_id[1]];
        answer.extend(is_v5.then_some(0));
        answer.extend(granted);
        self.send(number, &answer);
        Some(())
    }

    /// `packet` is all of it; `body` is where its topic begins.
    fn on_publish(&mut self, number: usize, packet: &[u8], body: usize, qos: u8) -> Option<()> {
        let (topic, _) = text(&packet[body..])?;
        let id_place = body + 2 + topic.len();
        let known = self.link(number)?.targets.take();
        let targets = known.unwrap_or_else(|| self.listeners(topic));
        if qos > 0 {
            let answer =
                [if qos == 1 { 0x40 } else { 0x50 }, 2, *packet.get(id_place)?, *packet.get(id_place + 1)?];
            self.send(number, &answer);
        }
        for target in &targets {
            self.send(*target, packet);
            if qos > 0 {
                let link = self.link(*target)?;
                link.packet_id = link.packet_id.checked_add(1).unwrap_or(1);
                let place = link.output.len() - packet.len() + id_place;
                link.output[place..place + 2].copy_from_slice(&link.packet_id.to_be_bytes());
            }
        }
        self.link(number)?.targets = Some(targets);
        Some(())
    }

    fn listeners(&self, topic: &str) -> Vec<usize> {
        let hears = |link: &Link| link.filters.iter().any(|filter| matches(filter, topic));
        let links = self.links.iter().enumerate();
        links.filter(|(_, link)| link.as_ref().is_some_and(hears)).map(|(number, _)| number).collect()
    }

    fn link(&mut self, number: usize) -> Option<&mut Link> {
        self.links.get_mut(number)?.as_mut()
    }

    fn send(&mut self, number: usize, bytes: &[u8]) {
        if let Some(link) = self.link(number) {
            link.output.extend_from_slice(bytes);
        }
        self.mark(number);
    }

    fn mark(&mut self, number: usize) {
        if let Some(link) = self.link(number).filter(|link| !link.is_dirty) {
            link.is_dirty = true;
            self.dirty.push(number);
        }
    }

    fn flush(&mut self) {
        for number in self.dirty.drain(..) {
            let Some(link) = self.links.get_mut(number).and_then(Option::as_mut) else { continue };
            link.is_dirty = false;
            let mut written = 0;
            // What the socket does not take waits until it is writable, and an error is seen by the next read.
            while let Some(rest) = link.output.get(written..).filter(|rest| !rest.is_empty()) {
                match link.socket.write(rest) {
                    Ok(len) => written += len,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            link.output.drain(..written);
        }
    }
}

impl Link {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            is_v5: false,
            input: Vec::new(),
            output: Vec::new(),
            is_dirty: false,
            filters: Vec::new(),
            targets: None,
            packet_id: 0,
        }
    }
}

impl Frame {
    /// The packet that begins here, if it is whole (MQTT 5.0, 2.1.4).
    fn parse(bytes: &[u8], start: usize) -> Option<Self> {
        let first = *bytes.get(start)?;
        let (mut len, mut place) = (0, start + 1);
        for shift in [0, 7, 14, 21] {
            let byte = *bytes.get(place)?;
            place += 1;
            len |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let end = place + len;
        (end <= bytes.len()).then_some(Self { kind: first >> 4, qos: (first >> 1) & 3, body: place, end })
    }
}

/// A string with its length before it, and what comes behind.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// With `+` alone, which is all that the generator has.
fn matches(filter: &str, topic: &str) -> bool {
    let (mut levels, mut names) = (filter.split('/'), topic.split('/'));
    loop {
        match (levels.next(), names.next()) {
            (None, None) => return true,
            (Some(level), Some(name)) if level == "+" || level == name => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_found_when_it_is_whole() {
        let bytes = [0xff, 0x32, 0x85, 0x01];
        assert!(Frame::parse(&bytes, 1).is_none());
        let long = [&bytes[..], &[0; 133]].concat();
        let frame = Frame::parse(&long, 1).unwrap();
        assert_eq!((frame.kind, frame.qos, frame.body, frame.end), (PUBLISH, 1, 4, 137));
    }

    #[test]
    fn filters_match_as_those_of_the_patterns_do() {
        assert!(matches("bench/+/state", "bench/7/state") && matches("a", "a"));
        assert!(!matches("bench/+/state", "bench/7") && !matches("a/b", "a/c"));
    }
}
