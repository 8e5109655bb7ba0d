//! The one table of settings: names, defaults and reasons.
//!
//! The file, the environment, `docs/settings.md` and `hearth check-config` all follow it.

use hearth_protocol::TopicName;

use super::number::Unit;
use super::server_reference;
use super::setting::{Field, Setting};

/// A bound: where it lies in the configuration, its unit and its own bounds, what it bounds, and why.
macro_rules! bound {
    ($part:ident.$field:ident: $type:ty, $unit:ident, $min:expr, $max:expr, $meaning:expr, $reason:expr) => {
        Setting {
            key: concat!("limits.", stringify!($field)),
            flag: None,
            meaning: $meaning,
            reason: $reason,
            default_words: None,
            field: Field::Number {
                unit: Unit::$unit,
                min: $min,
                max: $max,
                read: |config| {
                    let value: $type = config.$part.$field;
                    // No bound is larger than 64 bits.
                    u64::try_from(value).unwrap_or(u64::MAX)
                },
                // The bounds fit the type: a test writes both.
                write: |config, number| {
                    config.$part.$field = <$type>::try_from(number).unwrap_or(<$type>::MAX)
                },
            },
        }
    };
}

/// A bound of the broker: its field in `hearth_broker::Limits`.
macro_rules! limit {
    ($field:ident: $($rest:tt)*) => { bound!(limits.$field: $($rest)*) };
}

/// A bound of the door: its field in `DoorLimits`.
macro_rules! door_limit {
    ($field:ident: $($rest:tt)*) => { bound!(door.$field: $($rest)*) };
}

/// A bound of the history: its field in `HistoryConfig`.
macro_rules! history_bound {
    ($field:ident: $($rest:tt)*) => {
        Setting { key: concat!("history.", stringify!($field)), ..bound!(history.$field: $($rest)*) }
    };
}

/// A bound of the live tree: its field in `TreeConfig`.
macro_rules! tree_bound {
    ($field:ident: $($rest:tt)*) => {
        Setting { key: concat!("tree.", stringify!($field)), ..bound!(tree.$field: $($rest)*) }
    };
}

/// The largest packet of the standard: four length bytes say 268,435,455, and the head has five [MQTT 1.5.5].
const PACKET_BYTES: u64 = 268_435_455 + 5;

/// Strings of the standard have two length bytes.
const STRING_BYTES: u64 = 65_535;

/// Far beyond any machine; keeps sums of a few of them inside 64 bits.
const LARGE: u64 = 1 << 40;

/// Shards at most: as many as the broker has names for. Each pair of them shares a ring, so their memory grows with
/// the square.
const SHARDS_MAX: u16 = hearth_broker::ShardCount::MAX;

/// Every setting, in the order of the reference.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        flag: Some("--data"),
        meaning: "Folder for what outlives the process: sessions, the messages that wait for them, retained messages, \
                  and users. One Hearth at a time uses it.",
        reason: "Beside where Hearth was started: the one place that its user has chosen.",
        default_words: None,
        field: Field::Folder(|config| &mut config.data),
    },
    Setting {
        key: "durability",
        flag: Some("--durability"),
        meaning: "What has happened to a message that somebody needs later when Hearth acknowledges it: `fsync`, it is on \
                  the disk; `os`, the operating system has it, which survives a crash of Hearth but not of the machine; \
                  `none`, it is in memory, and nothing outlives the process.",
        reason: "An acknowledgement that a power cut makes a lie is none.",
        default_words: None,
        field: Field::Durability(|config| &mut config.durability),
    },
    Setting {
        key: "shards",
        flag: Some("--shards"),
        meaning: "Threads that serve clients.",
        reason: "One a core: a shard shares nothing that is written, so each core adds its whole strength.",
        default_words: Some("the number of cores, 32 at most"),
        field: Field::Number {
            unit: Unit::Count,
            min: 1,
            max: SHARDS_MAX as u64,
            read: |config| u64::from(config.shards),
            write: |config, number| config.shards = u16::try_from(number).unwrap_or(SHARDS_MAX),
        },
    },
    Setting {
        key: "log",
        flag: Some("--log"),
        meaning: "Which log lines are written to standard error: a level (`error`, `warn`, `info`, `debug`, \
                  `trace`, `off`), or parts such as `info,hearth=debug`.",
        reason: "Says what an operator acts on and stays quiet about ordinary traffic.",
        default_words: None,
        field: Field::LogFilter(|config| &mut config.log),
    },
    Setting {
        key: "demo",
        flag: Some("--demo"),
        meaning: "Runs a small simulated home as ordinary MQTT clients.",
        reason: "A broker for real devices must not show made-up ones.",
        default_words: None,
        field: Field::Switch(|config| &mut config.demo),
    },
    Setting {
        key: "mqtt.listen",
        flag: Some("--mqtt"),
        meaning: "Where MQTT listens: ports, addresses or unix sockets (`unix:/run/hearth.sock`), or `none`.",
        reason: "Port 1883 is MQTT's own. Only this machine is let in unless told otherwise.",
        default_words: Some("`localhost:1883`"),
        field: Field::Addresses(|config| &mut config.mqtt),
    },
    Setting {
        key: "unix.permissions",
        flag: None,
        meaning: "Permissions of the files of unix sockets, in octal digits as chmod takes them. Who may write to the \
                  file may connect.",
        reason: "Owner and group: a group of the system says who may connect, and nobody else is let in unless told \
                 otherwise.",
        default_words: None,
        field: Field::Permissions(|config| &mut config.unix_permissions),
    },
    Setting {
        key: "http.listen",
        flag: Some("--http"),
        meaning: "Where the web app is served, with MQTT over WebSocket at `/mqtt`: ports, addresses or unix sockets, or \
                  `none`.",
        reason: "Port 8080 needs no rights. Only this machine is let in unless told otherwise.",
        default_words: Some("`localhost:8080`"),
        field: Field::Addresses(|config| &mut config.http),
    },
    Setting {
        key: "http.allowed_origins",
        flag: None,
        meaning: "Other web sites whose pages may connect to `/mqtt`, such as `https://panel.example`; `*` for all. \
                  It holds for `one` listeners too.",
        reason: "A page of a strange site must not reach the broker through a visitor's browser. Pages of the \
                 same host are always let in.",
        default_words: None,
        field: Field::Origins(|config| &mut config.http_allowed_origins),
    },
    Setting {
        key: "web.brokers",
        flag: None,
        meaning: "Brokers that the page of the web app may connect to beside its own: `ws://HOST:PORT`, `wss://HOST:PORT`, `*` \
                  for all, or `none`. It is what the content security policy lets the browser open.",
        reason: "The page is a client for any broker, and goes where its user sends it. Scripts that would go elsewhere cannot \
                 run in it, and requests other than WebSockets go to its own server in any case. Name them where the page is to \
                 serve nothing else.",
        default_words: None,
        field: Field::WebBrokers(|config| &mut config.web_brokers),
    },
    Setting {
        key: "ws.listen",
        flag: Some("--ws"),
        meaning: "Where MQTT over WebSocket is served at any path: ports, addresses or unix sockets, or `none`.",
        reason: "Port 9001 is what other brokers use. Only this machine is let in unless told otherwise.",
        default_words: Some("`localhost:9001`"),
        field: Field::Addresses(|config| &mut config.ws),
    },
    Setting {
        key: "ws.allowed_origins",
        flag: None,
        meaning: "Web sites whose pages may connect to the `ws` listeners; `*` for all.",
        reason: "As `http.allowed_origins`.",
        default_words: None,
        field: Field::Origins(|config| &mut config.ws_allowed_origins),
    },
    Setting {
        key: "one.listen",
        flag: Some("--one"),
        meaning: "Where one port serves all of this: MQTT, and the web app with MQTT over WebSocket at `/mqtt`, told \
                  apart by the first byte. Ports, addresses or unix sockets, or `none`. The others stay as they are \
                  unless they are turned off.",
        reason: "Everybody knows the separate ports. This is for where one is all that a firewall or a router lets \
                 through.",
        default_words: None,
        field: Field::Addresses(|config| &mut config.one),
    },
    Setting {
        key: "messages.check_payload_format",
        flag: None,
        meaning: "Refuses a message whose payload is not the UTF-8 text that its payload format indicator says, with 0x99.",
        reason: "It costs a look at every byte, and the standard leaves it to the receiver.",
        default_words: None,
        field: Field::Switch(|config| &mut config.check_payload_format),
    },
    Setting {
        key: "messages.sparkplug_certificates",
        flag: None,
        meaning: "Keeps the last birth certificate of each edge node and device of Sparkplug B as a retained message below \
                  `$sparkplug/certificates`, where only the broker publishes then: \
                  `$sparkplug/certificates/spBv1.0/GROUP/NBIRTH/NODE`.",
        reason: "Births are not retained, and whoever comes later cannot read what follows them: metrics have numbers for names.",
        default_words: None,
        field: Field::Switch(|config| &mut config.sparkplug_certificates),
    },
    Setting {
        key: "messages.response_topic",
        flag: None,
        meaning: "What stands before `/CLIENT` in the response information that a client of version 5 may ask for; empty: \
                  there is none.",
        reason: "A client that asks wants a topic for answers that it can use as it comes.",
        default_words: None,
        field: Field::Text(|config| &mut config.response_topic, check_topic),
    },
    Setting {
        key: "redirect.to",
        flag: None,
        meaning: "Another server, such as `other.example:1883` (several with spaces between), to which clients of version 5 are \
                  sent when there is no room for them here and when Hearth stops.",
        reason: "There is no other server unless somebody names it.",
        default_words: None,
        field: Field::Text(|config| &mut config.redirect_to, server_reference::check),
    },
    Setting {
        key: "redirect.all",
        flag: None,
        meaning: "Sends every client there; those of older versions are refused as by a server that is unavailable.",
        reason: "For moving to another machine, not for every day.",
        default_words: None,
        field: Field::Switch(|config| &mut config.redirect_all),
    },
    Setting {
        key: "redirect.permanent",
        flag: None,
        meaning: "Tells them to stay there (0x9D) instead of coming back later (0x9C).",
        reason: "What is said for good cannot be taken back.",
        default_words: None,
        field: Field::Switch(|config| &mut config.redirect_permanent),
    },
    Setting {
        key: "sys.interval_seconds",
        flag: None,
        meaning: "Seconds between two updates of the `$SYS` topics; 0: there are none.",
        reason: "What other brokers do; only what has changed is published.",
        default_words: None,
        field: Field::Number {
            unit: Unit::Seconds,
            min: 0,
            max: 86_400,
            read: |config| u64::from(config.sys_interval_seconds),
            write: |config, number| config.sys_interval_seconds = u32::try_from(number).unwrap_or(86_400),
        },
    },
    Setting {
        key: "history.enabled",
        flag: None,
        meaning: "Keeps the values of topics for later, in `history.db` in the folder of `data`: payloads that are numbers or \
                  `on`, `off`, `true`, `false`, and such fields of JSON payloads. With `durability` `none` there is no history.",
        reason: "Whoever sees a number wants to know what it was yesterday.",
        default_words: None,
        field: Field::Switch(|config| &mut config.history.enabled),
    },
    Setting {
        key: "history.filters",
        flag: None,
        meaning: "Filters of the topics whose values are kept; none: no history.",
        reason: "Everything but topics that begin with `$`: what is asked for later is not known before.",
        default_words: None,
        field: Field::HistoryFilters(|config| &mut config.history.filters),
    },
    history_bound!(
        days_max: u32, Count, 1, 36_500,
        "Days for which values are kept. The file gives them up a day's worth at a time.",
        "This winter can be held against the last one."
    ),
    history_bound!(
        bytes_max: u64, Bytes, 1 << 20, LARGE,
        "Bytes of `history.db`, above which the oldest values go.",
        "Some 200 million values, and little beside what else is on a disk."
    ),
    history_bound!(
        series_max: u32, Count, 1, 1_000_000,
        "Topics, or fields of topics, whose values are kept; those of further ones are counted and not kept until older \
         ones have gone by age.",
        "Far more than a home has. Topics with ever new identifiers must not fill the memory: each takes some 150 bytes."
    ),
    history_bound!(
        fields_max: u16, Count, 1, 4096,
        "Values taken from one message.",
        "As many as the web app offers; the reports of large devices have some 30."
    ),
    history_bound!(
        payload_bytes_max: u32, Bytes, 32, 256 * 1024,
        "Largest payload that is looked into for values.",
        "States of devices are far smaller; what is larger is a list or a file."
    ),
    Setting {
        key: "tree.enabled",
        flag: None,
        meaning: "Keeps an index of all topics, which clients look at below `$hearth`: docs/tree.md. It has what is retained \
                  and what has come since the start.",
        reason: "A browser need not hear every message to show a tree of all topics.",
        default_words: None,
        field: Field::Switch(|config| &mut config.tree.enabled),
    },
    tree_bound!(
        topics_max: u32, Count, 1, 100_000_000,
        "Topics in the index. For a new one the topic goes that was silent longest and is not retained.",
        "As many as there may be retained messages. Topics with ever new identifiers must not fill the memory."
    ),
    tree_bound!(
        bytes_max: u64, Bytes, 64 << 10, LARGE,
        "Bytes of the index, above which topics go in the same way.",
        "A million topics of ordinary names and values fit; it is taken only as topics come."
    ),
    tree_bound!(
        preview_bytes_max: u16, Bytes, 0, 4096,
        "Bytes of the beginning of each topic's last payload that are shown and searched.",
        "A line of the tree has no room for more. Every shard copies so many of each message."
    ),
    Setting {
        key: "auth.users",
        flag: Some("--users"),
        meaning: "File of the users and what their passwords are checked against; `hearth user` writes it. It is read \
                  again when it changes, within two seconds or at once on SIGHUP, and whoever would not be let in any more is \
                  sent away; while it cannot be read, the users from before stay.",
        reason: "With the other things that outlive the process. A file that is named here must be there.",
        default_words: Some("`users.toml` in the folder of `data`, if it is there"),
        field: Field::File(|config| &mut config.auth_users),
    },
    Setting {
        key: "auth.anonymous",
        flag: Some("--anonymous"),
        meaning: "Whether clients without a user name are served: `no`, `local` (those on this machine), `yes`, or `auto`: \
                  `local` while there are no users, `no` when there are. With `no` the web app connects only as a user, under \
                  its Connections.",
        reason: "What anybody in the network can reach is not open until somebody says so, and whoever makes users wants \
                 them to be asked for.",
        default_words: None,
        field: Field::Anonymous(|config| &mut config.auth_anonymous),
    },
    Setting {
        key: "proxy_protocol.trusted",
        flag: None,
        meaning: "Proxies that say for whom they connect, in the PROXY protocol (version 1 or 2): addresses \
                  (`10.0.0.5`), networks (`10.0.0.0/8`), and `unix` for those on a unix socket. From them every \
                  connection must begin with such a header; from all others one is refused as any bad bytes.",
        reason: "Whoever is believed can claim any address. Nobody is, unless told otherwise.",
        default_words: None,
        field: Field::Proxies(|config| &mut config.trusted_proxies),
    },
    Setting {
        key: "proxy_protocol.listeners",
        flag: None,
        meaning: "The kinds of listener to which the trusted proxies connect in this way. To the others they come as \
                  ordinary clients.",
        reason: "A proxy does it everywhere, or is told not to where it does not.",
        default_words: None,
        field: Field::Kinds(|config| &mut config.proxy_listeners),
    },
    limit!(
        packet_bytes_max: usize, Bytes, 1024, PACKET_BYTES,
        "Largest packet from a client. CONNECT may be as large as the bounds of its parts together, and 256 KiB more.",
        "Firmware images pass, and a client's claim cannot make the broker hold the 256 MiB that the standard allows."
    ),
    limit!(
        client_id_bytes_max: usize, Bytes, 23, STRING_BYTES,
        "Longest client identifier.",
        "More than any device uses, and each session holds one; 23 must always be taken [MQTT-3.1.3-5]."
    ),
    limit!(
        credentials_bytes_max: usize, Bytes, 64, PACKET_BYTES,
        "User name with password, or the data of an authentication method, in one packet.",
        "The tokens of identity providers fit, and they are held for clients that nobody knows yet."
    ),
    limit!(
        topic_bytes_max: usize, Bytes, 64, STRING_BYTES,
        "Longest topic name or filter.",
        "The paths of real plants stay below 300 bytes."
    ),
    limit!(
        topic_levels_max: usize, Count, 8, STRING_BYTES,
        "Most levels of a topic name or filter.",
        "Finding who gets a message costs a step for each."
    ),
    limit!(
        subscriptions_per_session_max: usize, Count, 1, LARGE,
        "Subscriptions of one session.",
        "A panel that lists every device one by one still fits."
    ),
    limit!(
        views_per_session_max: usize, Count, 0, 10_000,
        "Of the subscriptions of one session, those to the live tree.",
        "A page shows as many open branches at most, and each is looked at several times a second."
    ),
    limit!(
        views_max: usize, Count, 0, 1_000_000,
        "Subscriptions to the live tree of all sessions.",
        "Hundreds of pages. Each may hold what it was shown, 100 KiB at most."
    ),
    limit!(
        filters_per_packet_max: usize, Count, 1, LARGE,
        "Filters in one SUBSCRIBE or UNSUBSCRIBE.",
        "Bounds the work that one packet can ask for."
    ),
    limit!(
        inflight_max: u16, Count, 1, 65_535,
        "QoS 1 and 2 messages under way at once, from a client and to one.",
        "Fills a long link, and bounds what has to be sent again after a cut."
    ),
    limit!(
        queued_messages_max: usize, Count, 0, LARGE,
        "QoS 1 and 2 messages that wait for one session.",
        "A night of a busy sensor network."
    ),
    limit!(
        queued_bytes_max: usize, Bytes, 0, LARGE,
        "Bytes of topics, payloads and properties that wait for one session; as many, and one message more, may be under way to \
         it.",
        "An absent client must not fill the memory, however large its messages are."
    ),
    limit!(
        output_bytes_max: usize, Bytes, 4096, LARGE,
        "Bytes on their way to one connection, above which QoS 0 messages for it are dropped and others wait; also bytes of its \
         own messages that wait for the disk on their way to other shards, above which it is read no further.",
        "A second of a fast client; a thousand stuck ones cost a gigabyte and not more."
    ),
    Setting {
        default_words: Some("half of the machine's memory, 1 GiB where that is not known"),
        ..limit!(
            held_bytes_max: usize, Bytes, 1, LARGE,
            "Bytes that all shards together hold for clients: messages that wait or are under way, each once, what refers to \
             them, and output that sockets have not taken. From there on clients that publish are not read, until it is \
             an eighth less; when that does not come, all are read again and nothing more is held for who is away or does not \
             read.",
            "Below what the machine has, with room for retained messages and the rest: a broker that is slow is better than one \
             that the system ends."
        )
    },
    limit!(
        retained_messages_max: usize, Count, 0, LARGE,
        "Retained messages.",
        "Whoever may publish may retain: without a bound a loop over topics fills the memory."
    ),
    limit!(
        retained_bytes_max: usize, Bytes, 0, LARGE,
        "Bytes of topics, payloads and properties of retained messages.",
        "As `limits.retained_messages_max`, for large ones."
    ),
    limit!(
        topic_alias_max: u16, Count, 0, 65_535,
        "Topic aliases that a client may use on one connection.",
        "Each holds a topic name for as long as the connection lasts."
    ),
    limit!(
        topic_alias_out_max: u16, Count, 0, 65_535,
        "Highest topic alias that Hearth uses towards a client, if the client allows as many.",
        "The topics of a chatty connection; each is held once more."
    ),
    limit!(
        user_property_bytes_max: usize, Bytes, 0, PACKET_BYTES,
        "Bytes of the user properties of one packet: of each pair its name, its value and five more.",
        "Far above what tracing headers take, and every subscriber gets a copy."
    ),
    limit!(
        will_bytes_max: usize, Bytes, 0, PACKET_BYTES,
        "Bytes of topic, payload and properties of a will.",
        "A will is held for as long as its client is connected."
    ),
    limit!(
        wills_per_shard_max: usize, Count, 0, LARGE,
        "Wills that one shard holds.",
        "One for each connection."
    ),
    limit!(
        connect_seconds_max: u16, Seconds, 1, 3600,
        "Time in which a connection must say its client id; as much again for the rest of CONNECT and its login.",
        "A device on a bad radio link needs seconds, not more."
    ),
    limit!(
        connections_max: usize, Count, 1, LARGE,
        "MQTT connections of the whole broker.",
        "About 100 MiB at rest, and below the open files of a large machine."
    ),
    limit!(
        sessions_per_shard_max: usize, Count, 1, LARGE,
        "Sessions of one shard, connected or not.",
        "Clients with ever new ids must not fill the memory within the time that sessions are kept."
    ),
    limit!(
        keep_alive_min_seconds: u16, Seconds, 1, 65_535,
        "Shortest keep-alive that a client may have; in version 5 a shorter one becomes this.",
        "The shortest there is: it leaves the choice to the client."
    ),
    limit!(
        keep_alive_max_seconds: u16, Seconds, 1, 65_535,
        "Longest keep-alive that a client may have; in version 5 a longer one, or none, becomes this.",
        "The largest of the standard: it leaves the choice to the client."
    ),
    limit!(
        session_expiry_max_seconds: u32, Seconds, 0, 0xFFFF_FFFF,
        "Longest life of a session without a connection.",
        "What nobody comes back for must not be held for ever."
    ),
    limit!(
        topic_cache_max: usize, Count, 0, LARGE,
        "Topics whose subscribers each shard remembers.",
        "About 2 MiB; a topic beyond costs a walk through the subscriptions."
    ),
    door_limit!(
        half_open_max: usize, Count, 1, LARGE,
        "Connections that have not said who they are; more wait in the system's queue until one of these has.",
        "A storm of reconnecting devices passes in milliseconds each, and those that never speak hold no more than this."
    ),
    door_limit!(
        connects_per_second_max: u64, Count, 1, LARGE,
        "Connections a second, on all listeners together, and as many at once after a quiet second; more are told so \
         (0x9F, or 503 over HTTP), and closed without a word when even those are many.",
        "Some cores' worth of CONNECTs: a storm must not starve those who are connected."
    ),
    door_limit!(
        connections_per_address_max: u32, Count, 1, 0xFFFF_FFFF,
        "MQTT connections of one IPv4 address, or one /64 of IPv6. This machine and unix sockets are exempt; \
         those whom a trusted proxy brings are counted by their own addresses.",
        "A site behind one router fits, and one machine cannot take every place."
    ),
    door_limit!(
        connects_per_second_per_address_max: u64, Count, 1, LARGE,
        "Connections a second of one such address; who is exempt there is so here.",
        "A site that comes back after a power cut is in again within the minute, and one machine that opens connections \
         without a word holds half of `limits.half_open_max` and not all."
    ),
    door_limit!(
        addresses_max: usize, Count, 1, LARGE,
        "Addresses that are remembered for these bounds; an unknown one beyond is told that the broker is busy.",
        "`limits.connections_max` and the newcomers of a second; each takes some 40 bytes."
    ),
    door_limit!(
        http_connections_max: usize, Count, 1, LARGE,
        "HTTP connections at once; a WebSocket does not count when it is open. More are answered with 503.",
        "A page opens up to six, and each may buffer the head of a request."
    ),
    door_limit!(
        http_head_seconds_max: u16, Seconds, 1, 3600,
        "Time for the head of a request, and that a connection may be idle between two.",
        "Browsers send it at once; who sends it letter by letter wants the connection, not the answer."
    ),
    door_limit!(
        http_write_seconds_max: u16, Seconds, 1, 3600,
        "Time in which a reader must take 16 KiB of a response, or all that is left of it.",
        "A bad radio link manages it, and nobody holds a connection by reading a byte now and then."
    ),
    door_limit!(
        unreachable_seconds_max: u16, Seconds, 8, 65_535,
        "Time after which TCP gives up a peer that acknowledges nothing, or takes nothing of what waits for it. At rest \
         it is asked after half of this.",
        "A device that lost its power goes though it wanted no keep-alive, and most routers forget a connection after \
         five minutes of silence."
    ),
];

fn check_topic(text: &str) -> Result<(), String> {
    match text {
        "" => Ok(()),
        topic => TopicName::try_from(topic).map(|_| ()).map_err(|error| {
            format!("`{topic}` is no topic name ({error}); write one without + and #, such as \"responses\"")
        }),
    }
}

impl Setting {
    /// The setting of a key.
    pub fn by_key(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The setting of a flag, with its dashes.
    pub fn by_flag(flag: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.flag == Some(flag))
    }
}
