//! Every limit in one table: who meets it is told in the words of the standard, the broker counts it and the log names
//! client and limit.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use hearth_protocol::packet::{
    Connect, ConnectProperties, Packet, PacketId, Publish, PublishProperties, Subscribe, SubscribeProperties,
    Subscription, Will, WillProperties,
};
use hearth_protocol::property::UserProperties;
use hearth_protocol::{QoS, ReasonCode, TopicName, Version};
use tempfile::TempDir;

use crate::hearth::{Hearth, HearthCommand};
use crate::process::PATIENCE;
use crate::proxy_protocol::{LOCAL, exchange};
use crate::wire::{Wire, connect, encoded, message, text, topic_filter};

/// A limit and what happens to a client that meets it.
struct Row {
    /// Its setting below `limits`.
    name: &'static str,
    value: &'static str,
    /// The reason code that the client is told; `None` where the standard has none.
    told: Option<ReasonCode>,
    /// What stands in the log line beside the limit.
    who: &'static str,
    /// Meets it; gives the code that came.
    meet: fn(&Place) -> Option<ReasonCode>,
}

/// A broker with one small limit. To it this machine is a proxy, so that its clients can have any address.
struct Place {
    hearth: Hearth,
}

/// Settings below `limits` that no client can exceed.
const NOBODY_MEETS: [(&str, &str); 4] = [
    ("topic_alias_out_max", "the broker's own choice of aliases, which it keeps itself"),
    ("topic_cache_max", "the size of a cache: beyond it a message takes longer"),
    ("unreachable_seconds_max", "the kernel's: TCP ends a connection to nobody"),
    ("http_write_seconds_max", "needs full socket buffers: `door.rs` shows it"),
];

/// The client that meets the limit, where it has a name.
const CLIENT: &str = "client_id=meter";

/// Its address, where it has no name yet.
const FROM: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.1 40000 1883\r\n";
const ADDRESS: &str = "192.0.2.1:40000";

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

const ROWS: &[Row] = &[
    row("packet_bytes_max", "1024", Some(ReasonCode::PacketTooLarge), CLIENT, |place| {
        let mut wire = place.client();
        wire.send(&Packet::Publish(message("a", &[0; 2000], QoS::AtMostOnce)));
        farewell(&mut wire)
    }),
    row("packet_bytes_max", "1024", None, ADDRESS, |place| {
        // It is refused by its length, before its version is read and with it the words that it understands.
        let mut wire = place.open(FROM);
        wire.send_bytes(b"\x10\xd0\x0f\0\x04MQTT\x05");
        assert_eq!(wire.read_to_end(), b"");
        None
    }),
    row("client_id_bytes_max", "23", Some(ReasonCode::ClientIdentifierNotValid), ADDRESS, |place| {
        place.refusal(connect(Version::V5, "an identifier of 24 char"))
    }),
    row("credentials_bytes_max", "64", Some(ReasonCode::BadUserNameOrPassword), CLIENT, |place| {
        let password = Some(Bytes::from(vec![b'x'; 65]));
        place.refusal(Connect { user_name: Some(text("ann")), password, ..meter() })
    }),
    row("topic_bytes_max", "64", Some(ReasonCode::TopicNameInvalid), CLIENT, |place| {
        place.publish(&message(&"x".repeat(65), b"", QoS::AtLeastOnce))
    }),
    row("topic_levels_max", "8", Some(ReasonCode::TopicNameInvalid), CLIENT, |place| {
        place.publish(&message("1/2/3/4/5/6/7/8/9", b"", QoS::AtLeastOnce))
    }),
    row("topic_levels_max", "8", Some(ReasonCode::TopicFilterInvalid), CLIENT, |place| {
        subscribe(&mut place.client(), &["1/2/3/4/5/6/7/8/9"])
    }),
    row("topic_levels_max", "8", Some(ReasonCode::TopicNameInvalid), CLIENT, |place| {
        place.refusal(Connect { will: Some(will("1/2/3/4/5/6/7/8/9", b"")), ..meter() })
    }),
    row("subscriptions_per_session_max", "1", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        let mut wire = place.client();
        assert_eq!(subscribe(&mut wire, &["first"]), Some(ReasonCode::Success));
        subscribe(&mut wire, &["second"])
    }),
    row("views_per_session_max", "1", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        let mut wire = place.client();
        assert_eq!(subscribe(&mut wire, &["$hearth/tree/first"]), Some(ReasonCode::Success));
        subscribe(&mut wire, &["$hearth/tree/second"])
    }),
    row("views_max", "1", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        let (mut other, _) = place.hello(FROM, connect(Version::V5, "other"));
        assert_eq!(subscribe(&mut other, &["$hearth/tree/first"]), Some(ReasonCode::Success));
        subscribe(&mut place.client(), &["$hearth/tree/second"])
    }),
    row("filters_per_packet_max", "1", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        subscribe(&mut place.client(), &["first", "second"])
    }),
    row("inflight_max", "1", Some(ReasonCode::ReceiveMaximumExceeded), CLIENT, |place| {
        let mut wire = place.client();
        for packet_id in [1, 2] {
            let packet_id = PacketId::new(packet_id);
            wire.send(&Packet::Publish(Publish { packet_id, ..message("a", b"", QoS::ExactlyOnce) }));
        }
        farewell(&mut wire)
    }),
    row("queued_messages_max", "1", Some(ReasonCode::QuotaExceeded), "client_id=absent", |place| {
        place.leave_a_session();
        assert_eq!(place.publish(&message("waits", b"", QoS::AtLeastOnce)), Some(ReasonCode::Success));
        place.publish(&message("waits", b"", QoS::AtLeastOnce))
    }),
    row("queued_messages_max", "0", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        place.leave_a_session();
        place.publish(&message("waits", b"", QoS::AtLeastOnce))
    }),
    row("queued_bytes_max", "10", Some(ReasonCode::QuotaExceeded), "client_id=absent", |place| {
        place.leave_a_session();
        place.publish(&message("waits", b"012345", QoS::AtLeastOnce))
    }),
    row("output_bytes_max", "4096", None, CLIENT, |place| {
        let mut reader = place.client();
        assert_eq!(subscribe(&mut reader, &["flood"]), Some(ReasonCode::Success));
        let mut writer = place.hello(LOCAL, connect(Version::V5, "writer")).0;
        // What the sockets between hold is a few megabytes.
        for _ in 0..400 {
            writer.send(&Packet::Publish(message("flood", &[0; 64 * 1024], QoS::AtMostOnce)));
        }
        writer.assert_quiet();
        None
    }),
    row("held_bytes_max", "1", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        place.leave_a_session();
        // The first is held; the second waits until nothing becomes less by that.
        assert_eq!(place.publish(&message("waits", b"", QoS::AtLeastOnce)), Some(ReasonCode::Success));
        place.publish(&message("waits", b"", QoS::AtLeastOnce))
    }),
    row("retained_messages_max", "0", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        place.publish(&Publish { retain: true, ..message("kept", b"x", QoS::AtLeastOnce) })
    }),
    row("retained_bytes_max", "4", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        place.publish(&Publish { retain: true, ..message("kept", b"x", QoS::AtLeastOnce) })
    }),
    row("topic_alias_max", "1", Some(ReasonCode::TopicAliasInvalid), CLIENT, |place| {
        let properties = PublishProperties { topic_alias: Some(2), ..PublishProperties::EMPTY };
        let mut wire = place.client();
        wire.send(&Packet::Publish(Publish { packet_id: PacketId::new(1), ..with(properties) }));
        farewell(&mut wire)
    }),
    row("user_property_bytes_max", "4", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        let properties = PublishProperties { user_properties: long_property(), ..PublishProperties::EMPTY };
        place.publish(&with(properties))
    }),
    row("user_property_bytes_max", "4", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        let properties =
            ConnectProperties { user_properties: long_property(), ..ConnectProperties::default() };
        place.refusal(Connect { properties, ..meter() })
    }),
    row("will_bytes_max", "4", Some(ReasonCode::PacketTooLarge), CLIENT, |place| {
        place.refusal(Connect { will: Some(will("w", b"0123")), ..meter() })
    }),
    row("wills_per_shard_max", "0", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        place.refusal(Connect { will: Some(will("w", b"")), ..meter() })
    }),
    row("connect_seconds_max", "1", None, ADDRESS, |place| {
        let mut wire = place.open(FROM);
        assert_eq!(wire.read_to_end(), b"");
        None
    }),
    row("connect_seconds_max", "1", None, ADDRESS, |place| {
        // Its client id is seen, the rest of its packet never comes.
        let packet = encoded(&Packet::Connect(Box::new(meter())), Version::V5);
        let mut wire = place.open(FROM);
        wire.send_bytes(&[&b"\x10\x40"[..], &packet[2..]].concat());
        assert_eq!(wire.read_to_end(), b"");
        None
    }),
    row("connections_max", "1", Some(ReasonCode::QuotaExceeded), CLIENT, |place| place.refusal(meter())),
    row("sessions_per_shard_max", "1", Some(ReasonCode::QuotaExceeded), CLIENT, |place| {
        place.refusal(meter())
    }),
    row("keep_alive_min_seconds", "10", None, CLIENT, |place| {
        place.assert_granted(Connect { keep_alive: 9, ..meter() }, Some(10), None)
    }),
    row("keep_alive_max_seconds", "20", None, CLIENT, |place| {
        place.assert_granted(Connect { keep_alive: 21, ..meter() }, Some(20), None)
    }),
    row("session_expiry_max_seconds", "5", None, CLIENT, |place| {
        let properties = ConnectProperties { session_expiry: Some(6), ..ConnectProperties::default() };
        place.assert_granted(Connect { properties, ..meter() }, None, Some(5))
    }),
    row("half_open_max", "1", None, "connections wait", |place| {
        let silent = place.open(FROM);
        let patient = std::thread::scope(|scope| {
            let patient = scope.spawn(|| place.refusal(meter()));
            place.hearth.wait_for_log(&["half_open_max"]);
            drop(silent);
            patient.join().unwrap()
        });
        assert_eq!(patient, Some(ReasonCode::Success), "it is late and not lost");
        None
    }),
    row("connects_per_second_max", "5", Some(ReasonCode::ConnectionRateExceeded), "meter", |place| {
        place.refusal_of_a_storm()
    }),
    row(
        "connects_per_second_per_address_max",
        "5",
        Some(ReasonCode::ConnectionRateExceeded),
        ADDRESS,
        Place::refusal_of_a_storm,
    ),
    row("connections_per_address_max", "1", Some(ReasonCode::QuotaExceeded), ADDRESS, |place| {
        let _first = place.hello(FROM, connect(Version::V5, "first"));
        place.refusal(meter())
    }),
    row("addresses_max", "1", Some(ReasonCode::ServerBusy), ADDRESS, |place| {
        let other = b"PROXY TCP4 192.0.2.2 192.0.2.2 1 1883\r\n";
        let _other = place.hello(other, connect(Version::V5, "other"));
        place.refusal(meter())
    }),
    row("http_connections_max", "1", None, ADDRESS, |place| {
        let mut first = TcpStream::connect(place.hearth.http()).unwrap();
        first.set_read_timeout(Some(PATIENCE)).unwrap();
        first.write_all(&[LOCAL, HEALTH].concat()).unwrap();
        first.read_exact(&mut [0; 16]).unwrap();
        let second = exchange(place.hearth.http(), &[FROM, HEALTH].concat());
        assert!(second.starts_with("HTTP/1.1 503 "), "{second}");
        None
    }),
    row("http_head_seconds_max", "1", None, ADDRESS, |place| {
        let answer = exchange(place.hearth.http(), &[FROM, b"GET /healthz HTTP/1.1\r\nHos"].concat());
        assert!(!answer.contains("200 OK"), "{answer}");
        None
    }),
];

#[test]
fn whoever_meets_a_limit_is_told_counted_and_named() {
    let folder = TempDir::new().unwrap();
    let users = folder.path().join("users.toml");
    let users = users.to_str().unwrap();
    // Credentials are looked at where there is somebody whose they could be.
    let added = HearthCommand::new().args(["user", "add", "ann", "--users", users]).run_with_line("secret");
    assert!(added.status.success(), "{}", added.stderr);
    // Each row waits for a broker and its figures most of the time, so that several run at once.
    for rows in ROWS.chunks(6) {
        std::thread::scope(|scope| {
            for row in rows {
                scope.spawn(|| row.check(users));
            }
        });
    }
}

#[test]
fn the_table_has_every_limit_of_the_reference() {
    let reference = include_str!("../../docs/settings.md");
    let names = reference.lines().filter_map(|line| line.strip_prefix("| `limits.")?.split('`').next());
    let all: BTreeSet<&str> = names.collect();
    let met = ROWS.iter().map(|row| row.name);
    let shown: BTreeSet<&str> = met.chain(NOBODY_MEETS.map(|(name, _reason)| name)).collect();
    assert_eq!(shown, all);
}

const fn row(
    name: &'static str,
    value: &'static str,
    told: Option<ReasonCode>,
    who: &'static str,
    meet: fn(&Place) -> Option<ReasonCode>,
) -> Row {
    Row { name, value, told, who, meet }
}

impl Row {
    fn check(&self, users: &str) {
        let Self { name, value, told, who, meet } = self;
        let any = "127.0.0.1:0";
        let hearth = HearthCommand::new()
            .args(["--mqtt", any, "--http", any, "--ws", "none", "--shards", "1", "--anonymous", "yes"])
            .args(["--users", users])
            .env("HEARTH_PROXY_PROTOCOL_TRUSTED", "127.0.0.1")
            .env("HEARTH_SYS_INTERVAL_SECONDS", "1")
            .env(&format!("HEARTH_LIMITS_{}", name.to_uppercase()), value)
            .start();
        let place = Place { hearth };
        let mut watcher = place.hello(LOCAL, connect(Version::V5, "watcher")).0;
        watcher.subscribe(&format!("$SYS/hearth/limited/{name}"), QoS::AtMostOnce);
        assert_eq!(meet(&place), *told, "{name}");
        let line = place.hearth.wait_for_log(&["limit=\"", &format!("{name}\""), who]);
        assert!(line.contains("WARN") || line.contains("INFO"), "{line}");
        while watcher.next_publish().payload == b"0"[..] {}
    }
}

impl Place {
    fn open(&self, header: &[u8]) -> Wire {
        let mut wire = Wire::open(self.hearth.mqtt(), Version::V5);
        wire.send_bytes(header);
        wire
    }

    /// A connection after its CONNACK, whatever that says.
    fn hello(&self, header: &[u8], connect: Connect) -> (Wire, hearth_protocol::packet::ConnAck) {
        let mut wire = self.open(header);
        wire.send(&Packet::Connect(Box::new(connect)));
        let Packet::ConnAck(answer) = wire.next() else { panic!("CONNACK comes first") };
        (wire, *answer)
    }

    /// The client that meets the limit, let in.
    fn client(&self) -> Wire {
        let (wire, answer) = self.hello(FROM, meter());
        assert_eq!(answer.reason, ReasonCode::Success);
        wire
    }

    /// What a CONNECT is answered with.
    fn refusal(&self, connect: Connect) -> Option<ReasonCode> {
        Some(self.hello(FROM, connect).1.reason)
    }

    /// What a QoS 1 PUBLISH is answered with.
    fn publish(&self, publish: &Publish) -> Option<ReasonCode> {
        let mut wire = self.client();
        wire.send(&Packet::Publish(Publish { packet_id: PacketId::new(1), ..publish.clone() }));
        let Packet::PubAck(answer) = wire.next() else { panic!("PUBACK comes first") };
        Some(answer.reason)
    }

    /// A session that waits for messages without a connection.
    fn leave_a_session(&self) {
        let properties = ConnectProperties { session_expiry: Some(60), ..ConnectProperties::default() };
        let absent = Connect { properties, ..connect(Version::V5, "absent") };
        let (mut wire, _) = self.hello(LOCAL, absent);
        wire.subscribe("waits", QoS::AtLeastOnce);
        wire.send_bytes(b"\xe0\0");
        assert_eq!(wire.read_to_end(), b"", "it is gone when the broker has closed");
    }

    /// What one of many is told who come at once.
    fn refusal_of_a_storm(&self) -> Option<ReasonCode> {
        let answers = (0..200).map(|_| self.refusal(meter()));
        answers.into_iter().find(|answer| *answer != Some(ReasonCode::Success))?
    }

    /// The client is let in with less, or more, than it asked for, and told so.
    fn assert_granted(
        &self,
        connect: Connect,
        keep_alive: Option<u16>,
        session_expiry: Option<u32>,
    ) -> Option<ReasonCode> {
        let (_wire, answer) = self.hello(FROM, connect);
        assert_eq!(answer.reason, ReasonCode::Success);
        assert_eq!(answer.properties.server_keep_alive, keep_alive);
        assert_eq!(answer.properties.session_expiry, session_expiry);
        None
    }
}

fn meter() -> Connect {
    connect(Version::V5, "meter")
}

fn with(properties: PublishProperties) -> Publish {
    Publish { properties: Some(Box::new(properties)), ..message("a", b"", QoS::AtLeastOnce) }
}

fn long_property() -> UserProperties {
    [(text("name"), text("value"))].into_iter().collect()
}

fn will(topic: &str, payload: &'static [u8]) -> Will {
    Will {
        topic: TopicName::new(text(topic)).unwrap(),
        payload: Bytes::from_static(payload),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: WillProperties::default(),
    }
}

/// The reason of the last filter, which must be that of all.
fn subscribe(wire: &mut Wire, filters: &[&str]) -> Option<ReasonCode> {
    let filters = filters.iter().map(|filter| Subscription::new(topic_filter(filter), QoS::AtMostOnce));
    wire.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscriptions: filters.collect(),
        properties: SubscribeProperties::default(),
    }));
    let Packet::SubAck(answer) = wire.next() else { panic!("SUBACK comes first") };
    assert!(answer.reasons.iter().all(|reason| *reason == answer.reasons[0]), "{answer:?}");
    answer.reasons.last().copied()
}

/// The reason of the DISCONNECT with which the broker ends the connection.
fn farewell(wire: &mut Wire) -> Option<ReasonCode> {
    match wire.wait_for_end() {
        Some(Packet::Disconnect(disconnect)) => Some(disconnect.reason),
        last => panic!("DISCONNECT comes last, not {last:?}"),
    }
}
