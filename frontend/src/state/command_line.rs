//! Command lines of Mosquitto's tools that do what the page does.

use std::fmt::Write;

use hearth_protocol::connection::client::ClientOptions;
use hearth_protocol::packet::{
    ConnectProperties, Publish, PublishProperties, RetainHandling, Subscription, Will, WillProperties,
};
use hearth_protocol::property::{PayloadFormat, UserProperties};
use hearth_protocol::{Text, TopicName, Version};

/// A longer payload fits no command line that a person copies.
pub const PAYLOAD_BYTES_MAX: usize = 8 * 1024;

/// Bytes that are no text take four characters each.
const BINARY_BYTES_MAX: usize = 2 * 1024;

/// The ports of MQTT over TCP and TLS, where nobody says another.
const USUAL_PORTS: (u16, u16) = (1883, 8883);

/// Seconds that the tools take without being told.
const KEEP_ALIVE_S: u16 = 60;

/// Where the tools connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address, without brackets.
    pub host: String,
    /// Of MQTT over TCP.
    pub port: u16,
    /// Whether that is only what is usual.
    pub is_assumed: bool,
    /// Whether it takes TLS.
    pub is_secure: bool,
}

/// As whom the tools connect: the page's connection.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Where to.
    pub server: &'a Server,
    /// What the page says in CONNECT.
    pub options: &'a ClientOptions,
    /// Whether somebody wrote that down; else it is only how the page connects to the broker that served it.
    pub is_chosen: bool,
}

impl Server {
    /// The server behind the address of a WebSocket, where its listener for MQTT over TCP has the given port; else one that is
    /// usual. `None` for no address of one.
    pub fn of(address: &str, port: Option<u16>) -> Option<Self> {
        let (scheme, rest) = address.split_once("://")?;
        let is_secure = port.is_none() && scheme == "wss";
        let authority = rest.split(['/', '?', '#']).next()?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?.0,
            None => authority.split(':').next()?,
        };
        let usual = if is_secure { USUAL_PORTS.1 } else { USUAL_PORTS.0 };
        let (host, is_assumed) = (host.to_owned(), port.is_none());
        let port = port.unwrap_or(usual);
        (!host.is_empty()).then_some(Self { host, port, is_assumed, is_secure })
    }
}

impl Caller<'_> {
    fn begin(&self, tool: &str) -> Line {
        let mut line = Line(tool.to_owned());
        line.option("-h", &self.server.host);
        line.option("-p", &self.server.port.to_string());
        if self.server.is_secure {
            line.0.push_str(" --tls-use-os-certs");
        }
        let version = match self.options.version {
            Version::V31 => "mqttv31",
            Version::V311 => "mqttv311",
            Version::V5 => "mqttv5",
        };
        line.option("-V", version);
        if let Some(user) = &self.options.user_name {
            line.option("-u", user.as_str());
        }
        if self.has_password() {
            // A secret belongs neither on a page nor into the memory of a shell.
            line.0.push_str(" -P \"$MQTT_PASSWORD\"");
        }
        if self.is_chosen {
            if self.options.keep_alive != KEEP_ALIVE_S {
                line.option("-k", &self.options.keep_alive.to_string());
            }
            if self.options.version.is_v5() {
                line.connect_properties(&self.options.properties);
            }
        }
        line
    }

    /// Whether the line wants the password in `MQTT_PASSWORD`.
    pub const fn has_password(&self) -> bool {
        self.options.password.is_some()
    }
}

/// What a tool cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSayable {
    /// The payload is too long, or has bytes that no argument can hold.
    Payload,
    /// Correlation data that is no text.
    Correlation,
}

/// `mosquitto_sub` for subscriptions that have the same options. It has the page's will, so that it is missed as the page is.
pub fn subscribe(caller: Caller<'_>, subscriptions: &[&Subscription]) -> String {
    let mut line = caller.begin("mosquitto_sub");
    if let Some(will) = &caller.options.will {
        line.will(will, caller.options.version);
    }
    line.0.push_str(" -v");
    if let Some(first) = subscriptions.first() {
        line.option("-q", &first.qos.bits().to_string());
        if first.retain_handling != RetainHandling::Send {
            // The nearest that the tool has: what is kept is sent and not shown.
            line.0.push_str(" -R");
        }
    }
    for subscription in subscriptions {
        line.option("-t", subscription.filter.as_str());
    }
    line.0
}

/// The command lines for subscriptions: one for those that a line can say together.
pub fn subscribe_all(caller: Caller<'_>, subscriptions: &[Subscription]) -> Vec<String> {
    let key = |it: &Subscription| (it.qos, it.retain_handling != RetainHandling::Send);
    let mut groups: Vec<Vec<&Subscription>> = Vec::new();
    for subscription in subscriptions {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| key(first) == key(subscription)))
        {
            Some(group) => group.push(subscription),
            None => groups.push(vec![subscription]),
        }
    }
    groups.iter().map(|group| subscribe(caller, group)).collect()
}

/// `mosquitto_pub` for a message.
///
/// # Errors
/// What of it the tool cannot be told.
pub fn publish(caller: Caller<'_>, message: &Publish) -> Result<String, NotSayable> {
    let mut line = caller.begin("mosquitto_pub");
    line.option("-q", &message.qos.bits().to_string());
    if message.retain {
        line.0.push_str(" -r");
    }
    line.option("-t", message.topic.as_str());
    if let Some(properties) = message.properties.as_deref() {
        line.properties(properties)?;
    }
    if message.payload.is_empty() {
        line.0.push_str(" -n");
    } else {
        let text = std::str::from_utf8(&message.payload).ok().filter(|text| !text.contains('\0'));
        match text {
            Some(text) if text.len() <= PAYLOAD_BYTES_MAX => line.option("-m", text),
            None if message.payload.len() <= BINARY_BYTES_MAX => {
                // No argument holds these bytes; printf makes them of octal digits everywhere.
                line.0 = format!("printf '{}' | {} -s", octal(&message.payload), line.0);
            }
            Some(_) | None => return Err(NotSayable::Payload),
        }
    }
    Ok(line.0)
}

fn octal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 4), |mut all, byte| {
        // Nothing fails to be written to a text.
        let _ = write!(all, "\\{byte:03o}");
        all
    })
}

struct Line(String);

impl Line {
    fn option(&mut self, name: &str, value: &str) {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push(' ');
        quote(value, &mut self.0);
    }

    fn property(&mut self, command: &str, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.option(&format!("-D {command} {name}"), &value.to_string());
        }
    }

    fn user_properties(&mut self, command: &str, pairs: &UserProperties) {
        for (name, value) in pairs {
            self.property(command, "user-property", Some(name.as_str()));
            self.0.push(' ');
            quote(value.as_str(), &mut self.0);
        }
    }

    fn correlation(&mut self, command: &str, data: Option<&[u8]>) -> Result<(), NotSayable> {
        let Some(data) = data else { return Ok(()) };
        let text = std::str::from_utf8(data).ok().filter(|text| !text.contains('\0'));
        self.property(command, "correlation-data", Some(text.ok_or(NotSayable::Correlation)?));
        Ok(())
    }

    fn properties(&mut self, properties: &PublishProperties) -> Result<(), NotSayable> {
        const OF: &str = "publish";
        let is_text = properties.payload_format == Some(PayloadFormat::Utf8);
        self.property(OF, "payload-format-indicator", is_text.then_some(1));
        self.property(OF, "message-expiry-interval", properties.message_expiry);
        self.property(OF, "content-type", properties.content_type.as_ref().map(Text::as_str));
        self.property(OF, "response-topic", properties.response_topic.as_ref().map(TopicName::as_str));
        self.correlation(OF, properties.correlation_data.as_deref())?;
        self.user_properties(OF, &properties.user_properties);
        Ok(())
    }

    /// All but the session's expiry: a tool has a session of its own, which ends with it.
    fn connect_properties(&mut self, properties: &ConnectProperties) {
        const OF: &str = "connect";
        self.property(OF, "receive-maximum", properties.receive_maximum);
        self.property(OF, "maximum-packet-size", properties.packet_size_max);
        self.property(OF, "topic-alias-maximum", properties.topic_alias_maximum);
        let wants = properties.request_response_information.filter(|wants| *wants);
        self.property(OF, "request-response-information", wants.map(u8::from));
        let wants = properties.request_problem_information.filter(|wants| !*wants);
        self.property(OF, "request-problem-information", wants.map(u8::from));
        self.user_properties(OF, &properties.user_properties);
    }

    fn will(&mut self, will: &Will, version: Version) {
        self.option("--will-topic", will.topic.as_str());
        if !will.payload.is_empty() {
            // It was typed.
            self.option("--will-payload", &String::from_utf8_lossy(&will.payload));
        }
        self.option("--will-qos", &will.qos.bits().to_string());
        if will.retain {
            self.0.push_str(" --will-retain");
        }
        if version.is_v5() {
            self.will_properties(&will.properties);
        }
    }

    fn will_properties(&mut self, properties: &WillProperties) {
        const OF: &str = "will";
        self.property(OF, "will-delay-interval", properties.delay);
        let is_text = properties.payload_format == Some(PayloadFormat::Utf8);
        self.property(OF, "payload-format-indicator", is_text.then_some(1));
        self.property(OF, "message-expiry-interval", properties.message_expiry);
        self.property(OF, "content-type", properties.content_type.as_ref().map(Text::as_str));
        self.property(OF, "response-topic", properties.response_topic.as_ref().map(TopicName::as_str));
        let correlation = properties.correlation_data.as_deref().map(String::from_utf8_lossy);
        self.property(OF, "correlation-data", correlation);
        self.user_properties(OF, &properties.user_properties);
    }
}

/// Quotes one argument for a POSIX shell. Only what cannot mean anything to a shell stays bare.
fn quote(argument: &str, line: &mut String) {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.,:@%+-".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_bare) {
        line.push_str(argument);
        return;
    }
    // Nothing is special between single quotes but their end.
    line.push('\'');
    line.push_str(&argument.replace('\'', r"'\''"));
    line.push('\'');
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hearth_protocol::{QoS, Text, TopicFilter, TopicName};

    use super::*;
    use crate::state::outcome::message;

    fn server() -> Server {
        Server { host: "broker".into(), port: 1883, is_assumed: false, is_secure: false }
    }

    fn own() -> ClientOptions {
        ClientOptions::new(Text::default())
    }

    fn all(subscriptions: &[Subscription]) -> Vec<String> {
        subscribe_all(Caller { server: &server(), options: &own(), is_chosen: false }, subscriptions)
    }

    fn again(message: &Publish) -> Result<String, NotSayable> {
        publish(Caller { server: &server(), options: &own(), is_chosen: false }, message)
    }

    fn subscription(filter: &str, qos: QoS) -> Subscription {
        Subscription::new(TopicFilter::try_from(filter).unwrap(), qos)
    }

    fn quoted(argument: &str) -> String {
        let mut line = String::new();
        quote(argument, &mut line);
        line
    }

    #[test]
    fn arguments_are_quoted_so_that_a_shell_gives_them_back() {
        for (argument, line) in [
            ("home/kitchen", "home/kitchen"),
            ("a b", "'a b'"),
            ("#", "'#'"),
            ("$SYS/#", "'$SYS/#'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("`id` $(id) \"x\" \\ !\n", "'`id` $(id) \"x\" \\ !\n'"),
            ("größe", "'größe'"),
            ("~", "'~'"),
            ("a=b", "'a=b'"),
        ] {
            assert_eq!(quoted(argument), line);
        }
    }

    /// The shell has the last word.
    #[cfg(unix)]
    #[test]
    fn a_shell_makes_the_same_arguments_of_it() {
        for argument in [
            "it's",
            "a  b",
            "$HOME `id` $(id)",
            "\\n\\",
            "'; rm x; '",
            "*?[a]{b,c}",
            "~",
            "\"",
            "zwei\nZeilen",
            "!x",
            "-n",
        ] {
            let script = format!("printf %s {}", quoted(argument));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), argument, "{script}");
        }
    }

    #[test]
    fn the_host_comes_from_the_address_of_the_page() {
        for (address, host) in [
            ("ws://broker:8080/mqtt", Some("broker")),
            ("wss://home.example/hearth/mqtt", Some("home.example")),
            ("ws://[::1]:8080/mqtt", Some("::1")),
            ("ws://10.0.0.1", Some("10.0.0.1")),
            ("broker", None),
            ("ws:///x", None),
        ] {
            assert_eq!(Server::of(address, Some(1)).map(|server| server.host).as_deref(), host, "{address}");
        }
        let of = |address, port| {
            let server = Server::of(address, port).unwrap();
            (server.port, server.is_assumed, server.is_secure)
        };
        // What the broker says is where it takes MQTT as it is.
        assert_eq!(of("wss://home.example/mqtt", Some(1884)), (1884, false, false));
        assert_eq!(of("wss://home.example/mqtt", None), (8883, true, true));
        assert_eq!(of("ws://home.example:9001/mqtt", None), (1883, true, false));
    }

    #[test]
    fn filters_with_the_same_options_share_a_line() {
        let silent =
            Subscription { retain_handling: RetainHandling::DoNotSend, ..subscription("c", QoS::AtMostOnce) };
        let wanted = [
            subscription("a/#", QoS::AtMostOnce),
            silent,
            subscription("b b", QoS::AtMostOnce),
            subscription("d", QoS::ExactlyOnce),
        ];
        assert_eq!(
            super::tests::all(&wanted),
            [
                "mosquitto_sub -h broker -p 1883 -V mqttv5 -v -q 0 -t 'a/#' -t 'b b'",
                "mosquitto_sub -h broker -p 1883 -V mqttv5 -v -q 0 -R -t c",
                "mosquitto_sub -h broker -p 1883 -V mqttv5 -v -q 2 -t d",
            ]
        );
    }

    #[test]
    fn a_message_is_published_again_with_all_that_it_has() {
        let mut publication =
            message(TopicName::try_from("t/it's").unwrap(), b"{\"a\": 1}", QoS::AtLeastOnce, true);
        let text = |text: &str| Text::try_from(text).unwrap();
        publication.properties = Some(Box::new(PublishProperties {
            payload_format: Some(PayloadFormat::Utf8),
            message_expiry: Some(60),
            content_type: Some(text("application/json")),
            response_topic: Some(TopicName::try_from("r").unwrap()),
            correlation_data: Some(Bytes::from_static(b"c 1")),
            user_properties: [(text("k"), text("v w"))].into_iter().collect(),
            ..PublishProperties::EMPTY
        }));
        assert_eq!(
            again(&publication).unwrap(),
            "mosquitto_pub -h broker -p 1883 -V mqttv5 -q 1 -r -t 't/it'\\''s' -D publish payload-format-indicator 1 \
             -D publish message-expiry-interval 60 -D publish content-type application/json -D publish response-topic r \
             -D publish correlation-data 'c 1' -D publish user-property k 'v w' -m '{\"a\": 1}'"
        );
        for payload in [vec![b'x'; PAYLOAD_BYTES_MAX + 1], vec![0xff; BINARY_BYTES_MAX + 1]] {
            publication.payload = payload.into();
            assert_eq!(again(&publication), Err(NotSayable::Payload));
        }
        publication.payload = Bytes::new();
        assert!(again(&publication).unwrap().ends_with(" -n"));
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_no_argument_holds_come_through_a_pipe() {
        let payload: Vec<u8> = (0..=255).collect();
        let line =
            again(&message(TopicName::try_from("t").unwrap(), &payload, QoS::AtMostOnce, false)).unwrap();
        let (printf, tool) = line.split_once(" | ").unwrap();
        assert_eq!(tool, "mosquitto_pub -h broker -p 1883 -V mqttv5 -q 0 -t t -s");
        let output = std::process::Command::new("sh").args(["-c", printf]).output().unwrap();
        assert_eq!(output.stdout, payload);
    }

    #[test]
    fn the_tools_connect_as_the_page_does_and_show_no_password() {
        let text = |text: &str| Text::try_from(text).unwrap();
        let will = Will {
            topic: TopicName::try_from("gone/me").unwrap(),
            payload: Bytes::from_static(b"away now"),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: WillProperties {
                delay: Some(5),
                payload_format: Some(PayloadFormat::Utf8),
                message_expiry: Some(60),
                content_type: Some(text("text/plain")),
                response_topic: Some(TopicName::try_from("r").unwrap()),
                correlation_data: Some(Bytes::from_static(b"c")),
                user_properties: [(text("k"), text("v"))].into_iter().collect(),
            },
        };
        let mut options = ClientOptions {
            user_name: Some(text("ada l")),
            password: Some(Bytes::from_static(b"secret")),
            keep_alive: 20,
            will: Some(will),
            properties: ConnectProperties {
                session_expiry: Some(300),
                receive_maximum: Some(10),
                packet_size_max: Some(1000),
                topic_alias_maximum: Some(5),
                request_response_information: Some(true),
                request_problem_information: Some(false),
                user_properties: [(text("who"), text("page"))].into_iter().collect(),
                ..ConnectProperties::default()
            },
            ..own()
        };
        let server = Server { is_secure: true, ..server() };
        let line = |options: &ClientOptions, is_chosen| {
            subscribe_all(
                Caller { server: &server, options, is_chosen },
                &[subscription("a", QoS::AtMostOnce)],
            )
        };
        assert_eq!(
            line(&options, true),
            [
                "mosquitto_sub -h broker -p 1883 --tls-use-os-certs -V mqttv5 -u 'ada l' -P \"$MQTT_PASSWORD\" -k 20 \
              -D connect receive-maximum 10 -D connect maximum-packet-size 1000 -D connect topic-alias-maximum 5 \
              -D connect request-response-information 1 -D connect request-problem-information 0 \
              -D connect user-property who page --will-topic gone/me --will-payload 'away now' --will-qos 1 --will-retain \
              -D will will-delay-interval 5 -D will payload-format-indicator 1 -D will message-expiry-interval 60 \
              -D will content-type text/plain -D will response-topic r -D will correlation-data c \
              -D will user-property k v -v -q 0 -t a"
            ]
        );
        options.version = Version::V311;
        assert_eq!(
            line(&options, true),
            [
                "mosquitto_sub -h broker -p 1883 --tls-use-os-certs -V mqttv311 -u 'ada l' -P \"$MQTT_PASSWORD\" -k 20 \
              --will-topic gone/me --will-payload 'away now' --will-qos 1 --will-retain -v -q 0 -t a"
            ]
        );
        let own = ClientOptions { properties: options.properties.clone(), ..own() };
        assert_eq!(
            line(&own, false),
            ["mosquitto_sub -h broker -p 1883 --tls-use-os-certs -V mqttv5 -v -q 0 -t a"]
        );
    }
}
