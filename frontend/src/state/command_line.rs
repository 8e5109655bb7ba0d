//! Command lines of Mosquitto's tools that do what the page does.

use hearth_protocol::packet::{Publish, PublishProperties, RetainHandling, Subscription};
use hearth_protocol::property::PayloadFormat;

/// A longer payload fits no command line that a person copies.
pub const PAYLOAD_BYTES_MAX: usize = 8 * 1024;

/// Where the tools connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address, without brackets.
    pub host: String,
    /// Of MQTT over TCP.
    pub port: u16,
}

impl Server {
    /// The server behind the address of a WebSocket, where its listener for MQTT over TCP has the given port. `None` for no
    /// address of one.
    pub fn of(address: &str, port: u16) -> Option<Self> {
        let rest = address.split_once("://")?.1;
        let authority = rest.split(['/', '?', '#']).next()?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?.0,
            None => authority.split(':').next()?,
        };
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }

    fn begin(&self, tool: &str) -> Line {
        let mut line = Line(tool.to_owned());
        line.option("-h", &self.host);
        line.option("-p", &self.port.to_string());
        line
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

/// `mosquitto_sub` for subscriptions that have the same options.
pub fn subscribe(server: &Server, subscriptions: &[&Subscription]) -> String {
    let mut line = server.begin("mosquitto_sub");
    line.0.push_str(" -V mqttv5 -v");
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
pub fn subscribe_all(server: &Server, subscriptions: &[Subscription]) -> Vec<String> {
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
    groups.iter().map(|group| subscribe(server, group)).collect()
}

/// `mosquitto_pub` for a message.
///
/// # Errors
/// What of it the tool cannot be told.
pub fn publish(server: &Server, message: &Publish) -> Result<String, NotSayable> {
    let mut line = server.begin("mosquitto_pub");
    line.0.push_str(" -V mqttv5");
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
        let text = std::str::from_utf8(&message.payload).ok();
        let text = text.filter(|text| text.len() <= PAYLOAD_BYTES_MAX && !text.contains('\0'));
        line.option("-m", text.ok_or(NotSayable::Payload)?);
    }
    Ok(line.0)
}

struct Line(String);

impl Line {
    fn option(&mut self, name: &str, value: &str) {
        self.0.push(' ');
        self.0.push_str(name);
        self.0.push(' ');
        quote(value, &mut self.0);
    }

    fn property(&mut self, name: &str, value: &str) {
        self.0.push_str(" -D publish ");
        self.0.push_str(name);
        self.0.push(' ');
        quote(value, &mut self.0);
    }

    fn properties(&mut self, properties: &PublishProperties) -> Result<(), NotSayable> {
        if properties.payload_format == Some(PayloadFormat::Utf8) {
            self.property("payload-format-indicator", "1");
        }
        if let Some(seconds) = properties.message_expiry {
            self.property("message-expiry-interval", &seconds.to_string());
        }
        if let Some(content_type) = &properties.content_type {
            self.property("content-type", content_type.as_str());
        }
        if let Some(topic) = &properties.response_topic {
            self.property("response-topic", topic.as_str());
        }
        if let Some(data) = &properties.correlation_data {
            let text = std::str::from_utf8(data).ok().filter(|text| !text.contains('\0'));
            self.property("correlation-data", text.ok_or(NotSayable::Correlation)?);
        }
        for (name, value) in &properties.user_properties {
            self.property("user-property", name.as_str());
            self.0.push(' ');
            quote(value.as_str(), &mut self.0);
        }
        Ok(())
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
        Server { host: "broker".into(), port: 1883 }
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
            assert_eq!(Server::of(address, 1883).map(|server| server.host).as_deref(), host, "{address}");
        }
    }

    #[test]
    fn filters_with_the_same_options_share_a_line() {
        let silent =
            Subscription { retain_handling: RetainHandling::DoNotSend, ..subscription("c", QoS::AtMostOnce) };
        let all = [
            subscription("a/#", QoS::AtMostOnce),
            silent,
            subscription("b b", QoS::AtMostOnce),
            subscription("d", QoS::ExactlyOnce),
        ];
        assert_eq!(
            subscribe_all(&server(), &all),
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
            publish(&server(), &publication).unwrap(),
            "mosquitto_pub -h broker -p 1883 -V mqttv5 -q 1 -r -t 't/it'\\''s' -D publish payload-format-indicator 1 \
             -D publish message-expiry-interval 60 -D publish content-type application/json -D publish response-topic r \
             -D publish correlation-data 'c 1' -D publish user-property k 'v w' -m '{\"a\": 1}'"
        );
        publication.payload = Bytes::from_static(b"\xff");
        assert_eq!(publish(&server(), &publication), Err(NotSayable::Payload));
        publication.payload = Bytes::from("x".repeat(PAYLOAD_BYTES_MAX + 1));
        assert_eq!(publish(&server(), &publication), Err(NotSayable::Payload));
        publication.payload = Bytes::new();
        assert!(publish(&server(), &publication).unwrap().ends_with(" -n"));
    }
}
