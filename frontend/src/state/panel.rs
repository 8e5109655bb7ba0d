//! The home page's contents, found in the topics: rooms, their lamps, sensors and doors.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::measure::Measure;
use super::payload;
use super::topics::{Kind, Recorded, Topic, TopicId, Topics};

/// More widgets than these are counted but not shown: nobody surveys more, and the page must stay light.
pub const WIDGETS_MAX: usize = 240;

/// The last words of a level that name something to switch.
const SWITCHED: [&str; 10] =
    ["lamp", "light", "lampe", "licht", "lights", "switch", "schalter", "plug", "socket", "steckdose"];

/// What a widget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WidgetKind {
    /// On or off, switched by publishing to `<topic>/set`.
    Lamp,
    /// A number, with its meaning where the topic tells it.
    Sensor(Option<Measure>),
    /// Open or closed.
    Contact,
}

impl WidgetKind {
    const fn rank(self) -> u8 {
        match self {
            Self::Lamp => 0,
            Self::Contact => 1,
            Self::Sensor(Some(measure)) => 2 + measure.rank(),
            Self::Sensor(None) => u8::MAX,
        }
    }
}

/// One thing on the home page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widget {
    /// Its state topic.
    pub topic: Rc<str>,
    /// The same in the arena.
    pub id: TopicId,
    /// What it is.
    pub kind: WidgetKind,
}

impl Widget {
    /// The last level of its topic.
    pub fn level(&self) -> &str {
        self.topic.rsplit('/').next().unwrap_or(&self.topic)
    }

    /// All levels before the last.
    pub fn prefix(&self) -> &str {
        self.topic.rsplit_once('/').map_or("", |(prefix, _)| prefix)
    }

    /// The level before the last, made readable: what it belongs to.
    pub fn of(&self) -> String {
        readable(self.prefix().rsplit('/').next().unwrap_or_default())
    }
}

/// What shares all levels but the last; or what stands alone there, of several such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The shared levels; empty where these are several that stand alone.
    pub prefix: Rc<str>,
    /// Lamps first, then by meaning, then by name.
    pub widgets: Vec<Widget>,
    /// Whether another room has the same last level, so that the title alone does not tell them apart.
    pub ambiguous: bool,
}

impl Room {
    /// The title: the last level, made readable; `None` of those that stand alone.
    pub fn title(&self) -> Option<String> {
        (!self.prefix.is_empty()).then(|| readable(self.prefix.rsplit('/').next().unwrap_or(&self.prefix)))
    }

    fn has_lamp(&self) -> bool {
        self.widgets.iter().any(|widget| widget.kind == WidgetKind::Lamp)
    }
}

/// A level as a title: spaces for underscores and hyphens, a capital first letter.
pub fn readable(level: &str) -> String {
    let mut title = String::with_capacity(level.len());
    for (index, c) in level.chars().enumerate() {
        match c {
            '_' | '-' => title.push(' '),
            c if index == 0 => title.extend(c.to_uppercase()),
            c => title.push(c),
        }
    }
    title
}

/// All rooms, kept up to date as topics come.
#[derive(Debug, Default)]
pub struct Panel {
    rooms: BTreeMap<Rc<str>, Vec<Widget>>,
    widgets: usize,
    left_out: usize,
    version: u64,
}

impl Panel {
    /// Follows the topics; to be told of everything that [`Topics::record`] did.
    pub fn follow(&mut self, topics: &Topics, recorded: Recorded) {
        match recorded {
            Recorded::New(id) => {
                self.place(topics, id);
                // A command topic makes its parent a switch.
                let parent = topics.topic(id).name().strip_suffix("/set");
                if let Some(parent) = parent.and_then(|name| topics.find(name)) {
                    self.place(topics, parent);
                }
            }
            Recorded::NewKind(id) => self.place(topics, id),
            Recorded::Value(_) | Recorded::Again(_) | Recorded::Dropped => {}
        }
    }

    /// Changes whenever a widget comes, goes or becomes another.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Widgets beyond [`WIDGETS_MAX`].
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// The rooms: those with something to switch first, then by name, and last in one what stands alone and cannot be switched,
    /// where there are several of these: a card for each would be mostly frame.
    pub fn rooms(&self) -> Vec<Room> {
        let last = |prefix: &str| prefix.rsplit('/').next().unwrap_or_default().to_owned();
        let mut counts = BTreeMap::<String, usize>::new();
        for prefix in self.rooms.keys() {
            *counts.entry(last(prefix)).or_default() += 1;
        }
        let mut rooms: Vec<Room> = self
            .rooms
            .iter()
            .map(|(prefix, widgets)| Room {
                prefix: Rc::clone(prefix),
                widgets: widgets.clone(),
                ambiguous: counts.get(&last(prefix)).is_some_and(|&count| count > 1),
            })
            .collect();
        rooms.sort_by_key(|room| !room.has_lamp());
        let stands_alone = |room: &Room| room.widgets.len() == 1 && !room.has_lamp();
        if rooms.iter().filter(|room| stands_alone(room)).count() > 1 {
            let (alone, mut others): (Vec<Room>, Vec<Room>) = rooms.into_iter().partition(stands_alone);
            let widgets = alone.into_iter().flat_map(|room| room.widgets).collect();
            others.push(Room { prefix: "".into(), widgets, ambiguous: false });
            return others;
        }
        rooms
    }

    fn place(&mut self, topics: &Topics, id: TopicId) {
        let topic = topics.topic(id);
        let Some((prefix, _)) = topic.name().rsplit_once('/') else { return };
        let kind = kind_of(topics, topic);
        let known = self.rooms.get(prefix).and_then(|room| room.iter().find(|widget| widget.id == id));
        if known.map(|widget| widget.kind) == kind {
            return;
        }
        let name = known.map_or_else(|| topic.name().into(), |widget| Rc::clone(&widget.topic));
        if known.is_some() {
            self.remove(prefix, id);
        }
        let Some(kind) = kind else { return };
        if self.widgets == WIDGETS_MAX {
            self.left_out += 1;
            self.version += 1;
            return;
        }
        let widget = Widget { topic: name, id, kind };
        let room = self.rooms.entry(prefix.into()).or_default();
        let at = room.partition_point(|other| sort_key(other) < sort_key(&widget));
        room.insert(at, widget);
        self.widgets += 1;
        self.version += 1;
    }

    fn remove(&mut self, prefix: &str, id: TopicId) {
        let Some(room) = self.rooms.get_mut(prefix) else { return };
        room.retain(|widget| widget.id != id);
        self.widgets -= 1;
        self.version += 1;
        if room.is_empty() {
            self.rooms.remove(prefix);
        }
    }
}

fn sort_key(widget: &Widget) -> (u8, &str) {
    (widget.kind.rank(), &widget.topic)
}

fn kind_of(topics: &Topics, topic: &Topic) -> Option<WidgetKind> {
    let name = topic.name();
    if name.starts_with('$') {
        return None;
    }
    let (prefix, level) = name.rsplit_once('/')?;
    match topic.kind() {
        Kind::Switch | Kind::Number if is_switched(level) => {
            payload::switch(topic.payload()).map(|_| WidgetKind::Lamp)
        }
        Kind::Switch => {
            let command = topics.find(&format!("{name}/set"));
            (level != "set").then_some(())?;
            command.map(|_| WidgetKind::Lamp)
        }
        Kind::Number => {
            let measure = Measure::of_level(level);
            // A number without a known meaning is worth a tile where the topic says that it is a home's.
            let at_home = prefix.starts_with("home/") && level != "set";
            (measure.is_some() || at_home).then_some(WidgetKind::Sensor(measure))
        }
        Kind::Contact => Some(WidgetKind::Contact),
        Kind::Empty | Kind::Other => None,
    }
}

fn is_switched(level: &str) -> bool {
    let word = level.rsplit(['_', '-', ' ']).next().unwrap_or(level);
    SWITCHED.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// What one look at the house should tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Lamps there are.
    pub lamps: usize,
    /// Lamps that report to be on.
    pub lamps_on: usize,
    /// Doors and windows there are.
    pub contacts: usize,
    /// Doors and windows that report to be open.
    pub open: usize,
    /// Mean of the temperatures, in tenths of a degree.
    pub temperature_tenths: Option<i32>,
}

impl Summary {
    /// Looks at the last values of all widgets.
    pub fn of(rooms: &[Room], topics: &Topics) -> Self {
        let mut summary = Self::default();
        let (mut sum, mut count) = (0.0, 0_u32);
        for widget in rooms.iter().flat_map(|room| &room.widgets) {
            let payload = topics.topic(widget.id).payload();
            match widget.kind {
                WidgetKind::Lamp => {
                    summary.lamps += 1;
                    summary.lamps_on += usize::from(payload::switch(payload).is_some_and(|(on, _)| on));
                }
                WidgetKind::Contact => {
                    summary.contacts += 1;
                    summary.open += usize::from(payload.eq_ignore_ascii_case(b"open"));
                }
                WidgetKind::Sensor(Some(Measure::Temperature)) => {
                    if let Some(value) = payload::number(payload) {
                        sum += value;
                        count += 1;
                    }
                }
                WidgetKind::Sensor(_) => {}
            }
        }
        if count > 0 {
            summary.temperature_tenths = Some((sum / f64::from(count) * 10.0).round() as i32);
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::topics::tests::message;

    fn panel_of(messages: &[(&str, &str)]) -> (Panel, Topics) {
        let (mut panel, mut topics) = (Panel::default(), Topics::default());
        for (topic, payload) in messages {
            let recorded = topics.record(&message(topic, payload.as_bytes(), true), 0.0);
            panel.follow(&topics, recorded);
        }
        (panel, topics)
    }

    fn kinds(panel: &Panel) -> Vec<(String, WidgetKind)> {
        panel
            .rooms()
            .iter()
            .flat_map(|room| room.widgets.iter().map(|widget| (widget.topic.to_string(), widget.kind)))
            .collect()
    }

    #[test]
    fn rooms_are_found_with_what_is_in_them() {
        let (panel, topics) = panel_of(&[
            ("home/meter/power", "431"),
            ("home/meter/energy", "1234.5"),
            ("home/kitchen/humidity", "48"),
            ("home/kitchen/temperature", "21.4"),
            ("home/kitchen/lamp", "on"),
            ("home/door/front", "closed"),
            ("car/speed", "48.2"),
            ("car/position", "{\"lat\":1}"),
            ("car/online", "true"),
            ("$SYS/broker/temperature", "1"),
            ("counter", "1"),
        ]);
        let rooms = panel.rooms();
        let prefixes: Vec<&str> = rooms.iter().map(|room| &*room.prefix).collect();
        assert_eq!(prefixes, ["home/kitchen", "home/meter", ""]);
        assert_eq!(rooms[0].title().as_deref(), Some("Kitchen"));
        let alone: Vec<(String, &str)> =
            rooms[2].widgets.iter().map(|widget| (widget.of(), widget.level())).collect();
        assert_eq!(alone, [("Car".to_owned(), "speed"), ("Door".to_owned(), "front")]);
        assert_eq!(rooms[2].title(), None);
        let kitchen: Vec<&str> = rooms[0].widgets.iter().map(Widget::level).collect();
        assert_eq!(kitchen, ["lamp", "temperature", "humidity"]);
        let summary = Summary::of(&rooms, &topics);
        assert_eq!(
            summary,
            Summary { lamps: 1, lamps_on: 1, contacts: 1, open: 0, temperature_tenths: Some(214) }
        );
    }

    #[test]
    fn anything_with_a_command_topic_can_be_switched() {
        let (panel, _) = panel_of(&[("shed/pump", "OFF")]);
        assert!(kinds(&panel).is_empty());
        for messages in
            [[("shed/pump", "OFF"), ("shed/pump/set", "ON")], [("shed/pump/set", "ON"), ("shed/pump", "OFF")]]
        {
            let (panel, _) = panel_of(&messages);
            assert_eq!(kinds(&panel), [("shed/pump".to_owned(), WidgetKind::Lamp)]);
        }
    }

    #[test]
    fn a_cleared_topic_takes_its_widget_and_its_room_away() {
        let (panel, _) = panel_of(&[("home/attic/lamp", "on"), ("home/attic/lamp", "")]);
        assert!(panel.rooms().is_empty());
        let (panel, _) = panel_of(&[("home/attic/lamp", ""), ("home/attic/lamp", "on")]);
        assert_eq!(kinds(&panel), [("home/attic/lamp".to_owned(), WidgetKind::Lamp)]);
    }

    #[test]
    fn too_many_widgets_are_counted_and_left_out() {
        let (mut panel, mut topics) = (Panel::default(), Topics::default());
        for number in 0..=WIDGETS_MAX {
            let recorded = topics.record(&message(&format!("r{number}/temperature"), b"1", true), 0.0);
            panel.follow(&topics, recorded);
        }
        assert_eq!(panel.rooms().iter().map(|room| room.widgets.len()).sum::<usize>(), WIDGETS_MAX);
        assert_eq!(panel.left_out(), 1);
    }

    #[test]
    fn rooms_with_the_same_name_are_told_apart() {
        let (panel, _) = panel_of(&[("a/hall/lamp", "on"), ("b/hall/lamp", "on"), ("b/attic/lamp", "on")]);
        let ambiguous: Vec<bool> = panel.rooms().iter().map(|room| room.ambiguous).collect();
        assert_eq!(ambiguous, [true, false, true]);
        assert_eq!(readable("living_room"), "Living room");
    }
}
