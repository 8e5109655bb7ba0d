//! What the form holds while a person types: texts that are no profile yet.

use super::plan::{Fault, Faults, Field};
use super::{Profile, Speaks, WillPlan};

/// A yes or no of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the switches of a profile, as the form shows them")]
pub enum Switch {
    Secure,
    KeepPassword,
    ConnectAtStart,
    CleanStart,
    RequestResponseInformation,
    RequestProblemInformation,
    HasWill,
    WillRetain,
    WillIsText,
}

/// The form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The profile that is edited; its texts and numbers are those from before.
    profile: Profile,
    /// The will, kept while it is switched off.
    will: WillPlan,
    texts: Vec<(Field, String)>,
}

impl Draft {
    /// The form for a profile.
    pub fn of(profile: &Profile) -> Self {
        Self { will: profile.will.clone().unwrap_or_default(), profile: profile.clone(), texts: Vec::new() }
    }

    /// What stands in a field.
    pub fn text(&self, field: Field) -> String {
        let typed = self.texts.iter().find(|(other, _)| *other == field);
        typed.map(|(_, text)| text.clone()).unwrap_or_else(|| written(&self.profile, &self.will, field))
    }

    /// Somebody typed. A whole address in the place of the host goes to the fields of its parts.
    pub fn set_text(&mut self, field: Field, text: String) {
        if field == Field::Host
            && let Some((secure, host, port, path)) = parts(&text)
        {
            self.profile.secure = secure;
            self.keep(Field::Host, host);
            self.keep(Field::Port, port);
            return self.keep(Field::Path, path);
        }
        self.keep(field, text);
    }

    fn keep(&mut self, field: Field, text: String) {
        self.texts.retain(|(other, _)| *other != field);
        self.texts.push((field, text));
    }

    /// Whether it is on.
    pub const fn is_on(&self, switch: Switch) -> bool {
        match switch {
            Switch::Secure => self.profile.secure,
            Switch::KeepPassword => self.profile.keep_password,
            Switch::ConnectAtStart => self.profile.connect_at_start,
            Switch::CleanStart => self.profile.clean_start,
            Switch::RequestResponseInformation => self.profile.request_response_information,
            Switch::RequestProblemInformation => self.profile.request_problem_information,
            Switch::HasWill => self.profile.will.is_some(),
            Switch::WillRetain => self.will.retain,
            Switch::WillIsText => self.will.is_text,
        }
    }

    /// Turns it on or off.
    pub fn set(&mut self, switch: Switch, on: bool) {
        match switch {
            Switch::Secure => self.profile.secure = on,
            Switch::KeepPassword => self.profile.keep_password = on,
            Switch::ConnectAtStart => self.profile.connect_at_start = on,
            Switch::CleanStart => self.profile.clean_start = on,
            Switch::RequestResponseInformation => self.profile.request_response_information = on,
            Switch::RequestProblemInformation => self.profile.request_problem_information = on,
            Switch::HasWill => self.profile.will = on.then(WillPlan::default),
            Switch::WillRetain => self.will.retain = on,
            Switch::WillIsText => self.will.is_text = on,
        }
    }

    /// The version that is chosen.
    pub const fn version(&self) -> Speaks {
        self.profile.version
    }

    /// Chooses a version.
    pub const fn set_version(&mut self, version: Speaks) {
        self.profile.version = version;
    }

    /// The profile that it stands for.
    ///
    /// # Errors
    /// Everything that is wrong with it, field by field.
    pub fn check(&self) -> Result<Profile, Vec<(Field, Fault)>> {
        let mut faults = Faults::default();
        let profile = self.read(&mut faults);
        // A field that could not be read stands for nothing, so that it is not complained of twice.
        let unread: Vec<Field> = faults.0.iter().map(|(field, _)| *field).collect();
        if let Err(more) = profile.plan("drawn") {
            faults.0.extend(more.into_iter().filter(|(field, _)| !unread.contains(field)));
        }
        match faults.0.is_empty() {
            true => Ok(profile),
            false => Err(faults.0),
        }
    }

    fn read(&self, faults: &mut Faults) -> Profile {
        let text = |field| self.text(field);
        let trimmed = |field| self.text(field).trim().to_owned();
        let host = trimmed(Field::Host);
        if let Some((scheme, _)) = host.split_once("://") {
            faults.note(Field::Host, Fault::NotWebSocket(scheme.to_owned()));
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let (user_name, password) = (text(Field::UserName), text(Field::Password));
        let mut profile = Profile {
            name: trimmed(Field::Name),
            host: bare.to_owned(),
            port: self.some_number(Field::Port, 1, u16::MAX, faults),
            path: trimmed(Field::Path),
            // One that is not kept is still somebody's, as long as there is a user.
            uses_password: !password.is_empty() || (self.profile.uses_password && !user_name.is_empty()),
            user_name,
            password,
            client_id: text(Field::ClientId),
            filters: lines(&text(Field::Filters)),
            filters_qos: self.number(Field::FiltersQos, 0, 2, faults),
            keep_alive: self.number(Field::KeepAlive, 0, u16::MAX, faults),
            will: None,
            ..self.profile.clone()
        };
        if profile.path.is_empty() {
            "/".clone_into(&mut profile.path);
        }
        if profile.version == Speaks::V5 {
            profile.session_expiry = self.number(Field::SessionExpiry, 0, u32::MAX, faults);
            profile.receive_maximum = self.some_number(Field::ReceiveMaximum, 1, u16::MAX, faults);
            profile.packet_bytes_max = self.some_number(Field::PacketBytesMax, 1, u32::MAX, faults);
            profile.topic_alias_maximum = self.some_number(Field::TopicAliasMaximum, 0, u16::MAX, faults);
            profile.user_properties = self.pairs(Field::UserProperties, faults);
        }
        if self.profile.will.is_some() {
            profile.will = Some(self.read_will(profile.version, faults));
        }
        profile
    }

    fn read_will(&self, version: Speaks, faults: &mut Faults) -> WillPlan {
        let mut will = WillPlan {
            topic: self.text(Field::WillTopic).trim().to_owned(),
            payload: self.text(Field::WillPayload),
            qos: self.number(Field::WillQos, 0, 2, faults),
            ..self.will.clone()
        };
        if version == Speaks::V5 {
            will.delay = self.number(Field::WillDelay, 0, u32::MAX, faults);
            will.message_expiry = self.some_number(Field::WillMessageExpiry, 0, u32::MAX, faults);
            will.content_type = self.text(Field::WillContentType);
            will.response_topic = self.text(Field::WillResponseTopic);
            will.correlation_data = self.text(Field::WillCorrelationData);
            will.user_properties = self.pairs(Field::WillUserProperties, faults);
        }
        will
    }

    fn number<T>(&self, field: Field, min: T, max: T, faults: &mut Faults) -> T
    where
        T: std::str::FromStr + PartialOrd + Copy + Into<u32>,
    {
        let read = self.text(field).trim().parse().ok().filter(|number| (min..=max).contains(number));
        read.unwrap_or_else(|| {
            faults.note(field, Fault::NotNumber(min.into(), max.into()));
            min
        })
    }

    fn some_number<T>(&self, field: Field, min: T, max: T, faults: &mut Faults) -> Option<T>
    where
        T: std::str::FromStr + PartialOrd + Copy + Into<u32>,
    {
        (!self.text(field).trim().is_empty()).then(|| self.number(field, min, max, faults))
    }

    fn pairs(&self, field: Field, faults: &mut Faults) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for line in lines(&self.text(field)) {
            match line.split_once('=') {
                Some((name, value)) => pairs.push((name.to_owned(), value.to_owned())),
                None => faults.note(field, Fault::NotPair(line)),
            }
        }
        pairs
    }
}

/// The field of a profile as text.
fn written(profile: &Profile, will: &WillPlan, field: Field) -> String {
    fn some(number: Option<impl ToString>) -> String {
        number.map(|number| number.to_string()).unwrap_or_default()
    }
    let pairs = |pairs: &[(String, String)]| {
        let lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        lines.join("\n")
    };
    match field {
        Field::Name => profile.name.clone(),
        Field::Host => profile.host.clone(),
        Field::Port => some(profile.port),
        Field::Path => profile.path.clone(),
        Field::UserName => profile.user_name.clone(),
        Field::Password => profile.password.clone(),
        Field::Filters => profile.filters.join("\n"),
        Field::FiltersQos => profile.filters_qos.to_string(),
        Field::ClientId => profile.client_id.clone(),
        Field::KeepAlive => profile.keep_alive.to_string(),
        Field::SessionExpiry => profile.session_expiry.to_string(),
        Field::ReceiveMaximum => some(profile.receive_maximum),
        Field::PacketBytesMax => some(profile.packet_bytes_max),
        Field::TopicAliasMaximum => some(profile.topic_alias_maximum),
        Field::UserProperties => pairs(&profile.user_properties),
        Field::WillTopic => will.topic.clone(),
        Field::WillPayload => will.payload.clone(),
        Field::WillQos => will.qos.to_string(),
        Field::WillDelay => will.delay.to_string(),
        Field::WillMessageExpiry => some(will.message_expiry),
        Field::WillContentType => will.content_type.clone(),
        Field::WillResponseTopic => will.response_topic.clone(),
        Field::WillCorrelationData => will.correlation_data.clone(),
        Field::WillUserProperties => pairs(&will.user_properties),
    }
}

/// The lines that have something on them.
fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Whether it is encrypted, host, port and path of a WebSocket's address; `None` for anything else.
fn parts(address: &str) -> Option<(bool, String, String, String)> {
    let (scheme, rest) = address.trim().split_once("://")?;
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => false,
        "wss" | "https" => true,
        _ => return None,
    };
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // A colon behind the brackets of IPv6, or the only one there is, stands before the port.
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        Some(_) | None => (place, ""),
    };
    let path = if path.is_empty() { "/" } else { path };
    Some((secure, host.to_owned(), port.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_form_that_nobody_touched_gives_its_profile_back() {
        assert_eq!(Draft::of(&sample()).check(), Ok(sample()));
        let plain = Profile { name: "A".into(), host: "fe80::1".into(), ..Profile::default() };
        assert_eq!(Draft::of(&plain).check(), Ok(plain));
    }

    #[test]
    fn what_is_typed_is_read() {
        let mut draft = Draft::of(&sample());
        draft.set_text(Field::Name, " Cellar ".into());
        draft.set_text(Field::Host, "[fe80::2]".into());
        draft.set_text(Field::Port, " ".into());
        draft.set_text(Field::Filters, "a\n\nb/#\n".into());
        draft.set_text(Field::UserProperties, "x=1=2".into());
        draft.set(Switch::CleanStart, true);
        draft.set(Switch::HasWill, false);
        let profile = draft.check().unwrap();
        assert_eq!((profile.name.as_str(), profile.host.as_str(), profile.port), ("Cellar", "fe80::2", None));
        assert_eq!(profile.filters, ["a", "b/#"]);
        assert_eq!(profile.user_properties, [("x".to_owned(), "1=2".to_owned())]);
        assert!(profile.clean_start && profile.will.is_none());
    }

    #[test]
    fn a_will_that_is_switched_off_and_on_again_is_the_same() {
        let mut draft = Draft::of(&sample());
        draft.set(Switch::HasWill, false);
        draft.set(Switch::HasWill, true);
        assert_eq!(draft.check(), Ok(sample()));
    }

    #[test]
    fn a_whole_address_goes_to_its_fields() {
        for (address, secure, host, port, path) in [
            ("ws://10.0.0.5:9001/mqtt", false, "10.0.0.5", "9001", "/mqtt"),
            ("wss://broker.example", true, "broker.example", "", "/"),
            ("WSS://[fe80::1]:8884/a/b", true, "[fe80::1]", "8884", "/a/b"),
            ("https://[::1]/", true, "[::1]", "", "/"),
        ] {
            let mut draft = Draft::of(&Profile { name: "A".into(), ..Profile::default() });
            draft.set_text(Field::Host, address.into());
            let texts = [Field::Host, Field::Port, Field::Path].map(|field| draft.text(field));
            assert_eq!((draft.is_on(Switch::Secure), texts), (secure, [host, port, path].map(str::to_owned)));
            assert!(draft.check().is_ok(), "{address}: {:?}", draft.check());
        }
    }

    #[test]
    fn an_address_of_another_protocol_is_told_to_be_one() {
        let mut draft = Draft::of(&sample());
        draft.set_text(Field::Host, "mqtt://a:1883".into());
        assert_eq!(draft.check(), Err(vec![(Field::Host, Fault::NotWebSocket("mqtt".into()))]));
    }

    #[test]
    fn what_is_no_number_is_told_with_its_bounds() {
        let mut draft = Draft::of(&sample());
        draft.set_text(Field::Port, "99999".into());
        draft.set_text(Field::KeepAlive, String::new());
        draft.set_text(Field::WillDelay, "-1".into());
        let expected = vec![
            (Field::Port, Fault::NotNumber(1, 65_535)),
            (Field::KeepAlive, Fault::NotNumber(0, 65_535)),
            (Field::WillDelay, Fault::NotNumber(0, u32::MAX)),
        ];
        assert_eq!(draft.check(), Err(expected));
        draft.set_version(Speaks::V311);
        let fields: Vec<Field> = draft.check().unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, [Field::Port, Field::KeepAlive], "what a version does not have cannot be wrong");
    }

    #[test]
    fn a_password_that_is_not_kept_is_still_asked_for() {
        let stored = Profile { password: String::new(), ..sample() };
        assert!(Draft::of(&stored).check().unwrap().uses_password);
        let mut draft = Draft::of(&stored);
        draft.set_text(Field::UserName, String::new());
        assert!(!draft.check().unwrap().uses_password);
    }
}
