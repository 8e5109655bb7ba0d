//! What a listener serves.

use std::fmt;

/// What a listener serves; the text is the one of the ready lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MQTT over TCP or a unix socket.
    Mqtt,
    /// The web app, with MQTT over WebSocket at `/mqtt`.
    Http,
    /// MQTT over WebSocket at any path.
    Ws,
    /// What [`Kind::Mqtt`] and [`Kind::Http`] serve, told apart by the first byte.
    One,
}

impl Kind {
    /// Every kind, in the order of the settings.
    pub const ALL: [Self; 4] = [Self::Mqtt, Self::Http, Self::Ws, Self::One];

    /// Reads names of kinds; an empty list is none.
    pub(super) fn parse_all(items: &[String]) -> Result<Vec<Self>, String> {
        let mut kinds = Vec::new();
        for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
            let kind = Self::ALL.into_iter().find(|kind| kind.to_string() == item).ok_or_else(|| {
                let known: Vec<String> = Self::ALL.iter().map(ToString::to_string).collect();
                format!("`{item}` is no kind of listener; write some of {}", known.join(", "))
            })?;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        Ok(kinds)
    }

    /// The text that [`Kind::parse_all`] reads back.
    pub(super) fn show_all(kinds: &[Self]) -> String {
        let items: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
        format!("[{}]", items.join(", "))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mqtt => "mqtt",
            Self::Http => "http",
            Self::Ws => "ws",
            Self::One => "one",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_by_their_names() {
        let parse =
            |items: &[&str]| Kind::parse_all(&items.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(parse(&["ws", " mqtt", "ws"]).unwrap(), [Kind::Ws, Kind::Mqtt]);
        assert_eq!(parse(&[""]).unwrap(), []);
        assert_eq!(Kind::show_all(&parse(&["ws", "http"]).unwrap()), r#"["ws", "http"]"#);
        assert!(
            parse(&["wss"]).unwrap_err().starts_with("`wss` is no kind of listener; write some of mqtt,")
        );
    }
}
