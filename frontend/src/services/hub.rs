//! The one place where the state lives and changes; a bell rings once a frame at most for those who watch.

mod switches;

use std::any::Any;
use std::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::{Rc, Weak};

use bytes::Bytes;
use gloo::render::{AnimationFrame, request_animation_frame};
use gloo::timers::callback::Interval;
use hashbrown::HashMap;
use hearth_api::Info;
use hearth_protocol::connection::client::Token;
use hearth_protocol::packet::{Publish, PublishProperties};
use hearth_protocol::{ReasonCode, TopicName};

use self::switches::Pending;
use super::clock;
use super::connection::{Connection, ConnectionEvent};
use super::info;
use super::intake::Intake;
use super::part::Part;
use super::preferences;
use super::terms::Terms;
use crate::state::births;
use crate::state::command::{Command, Input};
use crate::state::extent::{Scope, Whole};
use crate::state::janitor::{Janitor, Progress};
use crate::state::link::Link;
use crate::state::outcome::Answer;
use crate::state::panel::Panel;
use crate::state::payload;
use crate::state::pins::Pins;
use crate::state::retained::Retained;
use crate::state::signal::Signal;
use crate::state::topic_tree::TopicTree;
use crate::state::topics::{Recorded, TopicId, Topics};

/// The shortest time between two frames that only show what came in, in milliseconds; what a person does shows at once.
const NEWS_EVERY_MS: f64 = 30.0;

/// Whom a token's answer is for.
enum Asked {
    Command(TopicId),
    Janitor,
}

/// What the broker granted on the connection that is up, or was up last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it still had the session of an earlier connection; `None` while there was none.
    pub is_resumed: Option<bool>,
    /// The filters that it refused, and why.
    pub refused: Vec<(String, ReasonCode)>,
}

/// Keeps the page subscribed to a filter until it is dropped.
pub struct Watch {
    hub: Weak<Inner>,
    filter: String,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(inner) = self.hub.upgrade() {
            inner.intake.release(&self.filter);
            inner.want_frame();
        }
    }
}

struct Inner {
    connection: Connection,
    is_own: bool,
    filters: Vec<String>,
    standing: RefCell<Standing>,
    intake: Intake,
    scope: Cell<Scope>,
    pins: RefCell<Pins>,
    beside: RefCell<Option<Rc<dyn Any>>>,
    link: RefCell<Link>,
    topics: RefCell<Topics>,
    tree: RefCell<TopicTree>,
    retained: RefCell<Retained>,
    janitor: RefCell<Janitor>,
    panel: RefCell<Panel>,
    commands: RefCell<HashMap<TopicId, Pending>>,
    parts: RefCell<Vec<Rc<dyn Part>>>,
    info: RefCell<Option<Info>>,
    asked: RefCell<HashMap<Token, Asked>>,
    frames: Signal,
    next_frame: RefCell<Option<AnimationFrame>>,
    frame_wanted: Cell<bool>,
    is_urgent: Cell<bool>,
    rung_ms: Cell<f64>,
    _seconds: Interval,
}

/// The hub. Clones are the same hub.
#[derive(Clone)]
pub struct Hub {
    inner: Rc<Inner>,
}

/// A hub that it does not keep alive.
#[derive(Clone)]
pub struct WeakHub {
    inner: Weak<Inner>,
}

impl WeakHub {
    /// The hub, while it lives.
    pub fn upgrade(&self) -> Option<Hub> {
        self.inner.upgrade().map(|inner| Hub { inner })
    }
}

impl PartialEq for Hub {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Hub {
    /// A hub that connects at once.
    pub fn start(terms: Terms) -> Self {
        let is_own = terms.is_own;
        let filters: Vec<String> =
            terms.filters.iter().map(|(filter, _)| filter.as_str().to_owned()).collect();
        let inner = Rc::new_cyclic(|weak: &Weak<Inner>| {
            let (events, seconds) = (weak.clone(), weak.clone());
            let connection = Connection::new(terms, move |event| {
                if let Some(inner) = events.upgrade() {
                    inner.handle_event(event);
                }
            });
            let pins = Pins::parse(&preferences::pins(connection.address()));
            let intake = Intake::new(filters.clone(), is_own);
            pins.filters().iter().flat_map(|pin| explained(pin)).for_each(|filter| intake.claim(&filter));
            Inner {
                connection,
                is_own,
                filters,
                standing: RefCell::default(),
                intake,
                scope: Cell::default(),
                pins: RefCell::new(pins),
                beside: RefCell::default(),
                link: RefCell::default(),
                topics: RefCell::default(),
                tree: RefCell::default(),
                retained: RefCell::default(),
                janitor: RefCell::default(),
                panel: RefCell::default(),
                commands: RefCell::default(),
                parts: RefCell::default(),
                info: RefCell::default(),
                asked: RefCell::default(),
                frames: Signal::default(),
                next_frame: RefCell::default(),
                frame_wanted: Cell::new(false),
                is_urgent: Cell::new(false),
                rung_ms: Cell::new(0.0),
                // Ages and waits grow even when nothing comes.
                _seconds: Interval::new(1000, move || {
                    if let Some(inner) = seconds.upgrade() {
                        if inner.intake.handle_time() {
                            inner.on_extent();
                        }
                        inner.want_frame();
                    }
                }),
            }
        });
        inner.connection.open();
        Self { inner }
    }

    /// Rings once for each frame in which something changed, and once a second.
    pub fn frames(&self) -> &Signal {
        &self.inner.frames
    }

    /// The topics.
    pub fn topics(&self) -> Ref<'_, Topics> {
        self.inner.topics.borrow()
    }

    /// The topics as a tree, to open and close branches.
    pub fn tree(&self) -> RefMut<'_, TopicTree> {
        self.inner.tree.borrow_mut()
    }

    /// What the broker keeps.
    pub fn retained(&self) -> Ref<'_, Retained> {
        self.inner.retained.borrow()
    }

    /// How far clearing or giving back has come, and how many messages can be given back.
    pub fn janitor(&self) -> (Progress, usize) {
        let janitor = self.inner.janitor.borrow();
        (janitor.progress(), janitor.restorable())
    }

    /// Clears the retained messages of these topics.
    pub fn clear_retained(&self, topics: &[String]) {
        let messages = {
            let retained = self.inner.retained.borrow();
            let kept = |topic: &String| {
                let kept = retained.get(topic)?.clone();
                Some((TopicName::try_from(topic.as_str()).ok()?, kept))
            };
            topics.iter().filter_map(kept).collect()
        };
        self.inner.janitor.borrow_mut().clear(messages);
        self.inner.tidy();
    }

    /// Gives back what was cleared last.
    pub fn restore_retained(&self) {
        self.inner.janitor.borrow_mut().restore();
        self.inner.tidy();
    }

    /// The home page's contents.
    pub fn panel(&self) -> Ref<'_, Panel> {
        self.inner.panel.borrow()
    }

    /// The state of the connection.
    pub fn link(&self) -> Ref<'_, Link> {
        self.inner.link.borrow()
    }

    /// Whether its broker is the one that served the page.
    pub fn is_own(&self) -> bool {
        self.inner.is_own
    }

    /// What the broker granted.
    pub fn standing(&self) -> Standing {
        self.inner.standing.borrow().clone()
    }

    /// Connects at once: again, or instead of waiting for the next attempt.
    pub fn connect(&self) {
        // Not held while it connects, which changes it.
        let link = self.link().clone();
        match link {
            Link::Closed => self.inner.connection.open(),
            Link::Connecting
            | Link::Online { .. }
            | Link::Checking
            | Link::Waiting { .. }
            | Link::Refused { .. } => self.inner.connection.retry_now(),
        }
    }

    /// Ends the connection until [`Self::connect`], with this reason; with another one than success a broker of version 5
    /// publishes the will.
    pub fn disconnect(&self, reason: ReasonCode) {
        self.inner.connection.close(reason);
        self.inner.handle_event(ConnectionEvent::Link(Link::Closed));
    }

    /// How much of the broker is taken in, and what it has where it tells.
    pub fn extent(&self) -> (Scope, Option<Whole>) {
        self.inner.intake.extent()
    }

    /// Takes everything in, however much it is.
    pub fn load_everything(&self) {
        self.inner.intake.insist();
        self.inner.on_extent();
    }

    /// Keeps the page subscribed to a filter for as long as the answer lives, whatever else is taken in. It is asked for with the
    /// next frame.
    #[must_use = "dropping it ends the subscription"]
    pub fn watch(&self, filter: &str) -> Watch {
        self.inner.intake.claim(filter);
        self.inner.want_frame();
        Watch { hub: Rc::downgrade(&self.inner), filter: filter.to_owned() }
    }

    /// As [`Self::watch`], with what explains the messages: Sparkplug names metrics in birth certificates alone.
    #[must_use = "dropping it ends the subscriptions"]
    pub fn follow(&self, filter: &str) -> Vec<Watch> {
        explained(filter).map(|filter| self.watch(&filter)).collect()
    }

    /// Why the broker refused a filter, if it did.
    pub fn refusal(&self, filter: &str) -> Option<ReasonCode> {
        self.inner.intake.refusal(filter)
    }

    /// What came last for a filter of the broker's live tree, unless it was taken already.
    pub fn take_live(&self, filter: &str) -> Option<Bytes> {
        self.inner.intake.take_live(filter)
    }

    /// Whether somebody watches exactly this filter, or has pinned it.
    pub fn is_watched(&self, filter: &str) -> bool {
        self.inner.intake.is_claimed(filter)
    }

    /// What pages that are loaded later keep beside the state of this connection, made by the first that asks.
    pub fn beside<T: Default + 'static>(&self) -> Rc<T> {
        let kept = self.inner.beside.borrow().clone().and_then(|kept| kept.downcast::<T>().ok());
        kept.unwrap_or_else(|| {
            let made = Rc::<T>::default();
            self.inner.beside.replace(Some(Rc::<T>::clone(&made)));
            made
        })
    }

    /// What is pinned.
    pub fn pins(&self) -> Ref<'_, Pins> {
        self.inner.pins.borrow()
    }

    /// Pins a topic or filter, or unpins it; as [`Pins::toggle`] says.
    pub fn toggle_pin(&self, filter: &str) -> Option<bool> {
        let toggled = self.inner.pins.borrow_mut().toggle(filter);
        match toggled {
            None => return None,
            Some(true) => explained(filter).for_each(|filter| self.inner.intake.claim(&filter)),
            Some(false) => explained(filter).for_each(|filter| self.inner.intake.release(&filter)),
        }
        preferences::set_pins(self.connection().address(), &self.pins().stored());
        self.inner.want_frame();
        toggled
    }

    /// The connection itself.
    pub fn connection(&self) -> &Connection {
        &self.inner.connection
    }

    /// Where the command of a switch stands.
    pub fn command(&self, id: TopicId) -> Command {
        self.inner.commands.borrow().get(&id).map(|pending| pending.command).unwrap_or_default()
    }

    /// What the broker says of itself, when it is a Hearth.
    pub fn info(&self) -> Option<Info> {
        self.inner.info.borrow().clone()
    }

    /// The part of this type, made when it is asked for the first time.
    pub fn part<T: Part>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let as_any = |part: &Rc<dyn Part>| Rc::clone(part) as Rc<dyn Any>;
        let found = self.inner.parts.borrow().iter().find_map(|part| as_any(part).downcast::<T>().ok());
        found.unwrap_or_else(|| {
            let part = Rc::new(make());
            self.inner.parts.borrow_mut().push(Rc::clone(&part) as Rc<dyn Part>);
            part
        })
    }

    /// The hub as its parts keep it.
    pub fn downgrade(&self) -> WeakHub {
        WeakHub { inner: Rc::downgrade(&self.inner) }
    }

    /// Something that components may watch has changed: [`Self::frames`] rings with the next frame.
    pub fn touch(&self) {
        self.inner.want_frame();
    }

    /// There are news to be shown: [`Self::frames`] rings with one of the next frames.
    pub fn touch_news(&self) {
        self.inner.want_news();
    }

    /// A person wants a switch to change.
    pub fn tap(&self, id: TopicId) {
        let on = payload::switch(self.inner.topics.borrow().topic(id).payload()).is_some_and(|(on, _)| on);
        self.inner.command(id, Input::Tap { target: !on });
    }
}

/// A filter, and those of the messages that explain what it brings.
fn explained(filter: &str) -> impl Iterator<Item = String> {
    std::iter::once(filter.to_owned()).chain(births::filters(filter))
}

impl Inner {
    fn handle_event(self: &Rc<Self>, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Message(message) => {
                self.on_message(message);
                return self.want_news();
            }
            ConnectionEvent::Link(link) => self.on_link(link),
            ConnectionEvent::Published(token, answer) => self.on_published(token, &answer),
            ConnectionEvent::Accepted { is_resumed } => {
                self.standing.replace(Standing { is_resumed: Some(is_resumed), refused: Vec::new() });
                let weak = Rc::downgrade(self);
                self.intake.handle_accepted(&self.connection, is_resumed, move || {
                    if let Some(inner) = weak.upgrade() {
                        inner.intake.handle_silence();
                        inner.on_extent();
                    }
                });
            }
            ConnectionEvent::Answered(token, reasons) => {
                match self.intake.handle_answered(token, &reasons) {
                    // Without the subscription the page would show a silent house.
                    Some(Some(reason)) => self.connection.refuse(reason),
                    Some(None) => {
                        let refusal = |filter: &String| Some((filter.clone(), self.intake.refusal(filter)?));
                        self.standing.borrow_mut().refused =
                            self.filters.iter().filter_map(refusal).collect();
                        self.on_extent();
                    }
                    None => self.each_part(|hub, part| part.on_answered(hub, token, &reasons)),
                }
            }
        }
        self.want_frame();
    }

    /// How much is taken in may have changed.
    fn on_extent(self: &Rc<Self>) {
        if self.scope.replace(self.intake.extent().0) == Scope::Everything && self.scope.get() == Scope::Parts
        {
            // What came of everything is not followed any more.
            self.topics.borrow_mut().begin_epoch();
        }
        self.intake.flush(&self.connection);
        self.want_frame();
    }

    fn on_message(self: &Rc<Self>, mut message: Publish) {
        let at_ms = clock::wall_ms();
        let brought_by =
            message.properties.as_ref().map_or(&[][..], |properties| &properties.subscription_ids);
        let is_trees = self.connection.is_trees(brought_by);
        self.each_part(|hub, part| part.on_message(hub, &message, at_ms, is_trees));
        if !is_trees {
            // A broker that sends one message for each subscription sends another one for the tree.
            return;
        }
        if self.intake.handle_message(&message) {
            return self.on_extent();
        }
        // The identifiers belong to the delivery; without them most messages have no properties that must be kept.
        if let Some(properties) = message.properties.as_mut().filter(|it| !it.subscription_ids.is_empty()) {
            properties.subscription_ids.clear();
            if **properties == PublishProperties::EMPTY {
                message.properties = None;
            }
        }
        let message = &message;
        let recorded = self.topics.borrow_mut().record(message, at_ms);
        self.retained.borrow_mut().record(message, at_ms);
        if let Recorded::New(id) | Recorded::NewKind(id) | Recorded::Value(id) = recorded {
            self.tree.borrow_mut().record(id, message.topic.as_str(), at_ms);
        }
        match recorded {
            Recorded::New(_) | Recorded::NewKind(_) => {
                self.panel.borrow_mut().follow(&self.topics.borrow(), recorded);
            }
            Recorded::Value(_) | Recorded::Again(_) | Recorded::Dropped => {}
        }
        if let Recorded::Value(id) | Recorded::NewKind(id) = recorded
            && self.commands.borrow().contains_key(&id)
            && let Some((on, _)) = payload::switch(&message.payload)
        {
            self.command(id, Input::Echo { on });
        }
    }

    fn on_link(self: &Rc<Self>, link: Link) {
        let before = self.link.replace(link.clone());
        match (before, &link) {
            (Link::Checking, Link::Online { .. }) => self.topics.borrow_mut().trust(),
            (Link::Online { .. }, Link::Online { .. }) => {}
            (_, Link::Online { .. }) => {
                self.topics.borrow_mut().begin_epoch();
                self.retained.borrow_mut().begin_epoch();
                self.ask_info();
            }
            (Link::Online { .. }, Link::Checking) => self.topics.borrow_mut().distrust(),
            (Link::Online { .. } | Link::Checking, _) => self.on_link_lost(),
            (Link::Connecting | Link::Waiting { .. } | Link::Refused { .. } | Link::Closed, _) => {}
        }
        // Last, as they may subscribe, and what waits comes with that.
        self.each_part(|hub, part| part.on_link(hub, &link));
    }

    fn ask_info(self: &Rc<Self>) {
        if !self.is_own {
            return;
        }
        let weak = Rc::downgrade(self);
        info::fetch(move |found| {
            if let Some(inner) = weak.upgrade() {
                inner.info.replace(Some(found));
                inner.want_frame();
            }
        });
    }

    fn on_link_lost(self: &Rc<Self>) {
        self.topics.borrow_mut().distrust();
        self.stop_tidying();
        let waiting: Vec<TopicId> = self.commands.borrow().keys().copied().collect();
        for id in waiting {
            self.command(id, Input::LinkLost);
        }
    }

    fn on_published(self: &Rc<Self>, token: Token, answer: &Answer) {
        self.each_part(|hub, part| part.on_published(hub, token, answer));
        let asked = self.asked.borrow_mut().remove(&token);
        match asked {
            Some(Asked::Janitor) => {
                self.janitor.borrow_mut().on_answer(answer.reason);
                self.tidy();
            }
            Some(Asked::Command(id)) => self.command(id, Input::Answered(answer.reason)),
            // A part's, or the answer to a message that went out in an earlier connection and was given up since.
            None => {}
        }
    }

    /// Publishes what the janitor has ready.
    fn tidy(self: &Rc<Self>) {
        loop {
            let next = self.janitor.borrow_mut().poll_publish();
            let Some(message) = next else { break };
            match self.connection.publish(message).ok().filter(|_| self.link.borrow().is_online()) {
                Some(token) => {
                    self.asked.borrow_mut().insert(token, Asked::Janitor);
                }
                None => self.stop_tidying(),
            }
        }
        self.want_frame();
    }

    /// Gives up what has no answer. One that comes later belongs to nothing that is under way then.
    fn stop_tidying(&self) {
        self.janitor.borrow_mut().on_lost();
        self.asked.borrow_mut().retain(|_, asked| !matches!(asked, Asked::Janitor));
    }

    /// A part may make another part or publish while it is called; it is not told of the former then.
    fn each_part(self: &Rc<Self>, tell: impl Fn(&Hub, &dyn Part)) {
        let count = self.parts.borrow().len();
        if count == 0 {
            return;
        }
        let hub = Hub { inner: Rc::clone(self) };
        for index in 0..count {
            let part = self.parts.borrow().get(index).map(Rc::clone);
            if let Some(part) = part {
                tell(&hub, &*part);
            }
        }
    }

    /// Wants the next frame.
    fn want_frame(self: &Rc<Self>) {
        self.is_urgent.set(true);
        self.want_news();
    }

    /// Asks the browser for a frame, unless one is on its way; hidden pages get none and draw nothing.
    fn want_news(self: &Rc<Self>) {
        if self.frame_wanted.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        let frame = request_animation_frame(move |_| {
            if let Some(inner) = weak.upgrade() {
                inner.on_frame();
            }
        });
        self.next_frame.replace(Some(frame));
    }

    fn on_frame(self: &Rc<Self>) {
        self.frame_wanted.set(false);
        let now_ms = clock::wall_ms();
        if !self.is_urgent.take() && (now_ms - self.rung_ms.get()).abs() < NEWS_EVERY_MS {
            return self.want_news();
        }
        self.rung_ms.set(now_ms);
        // Those who wanted filters since the last frame ask together.
        if self.link.borrow().is_online() {
            self.intake.flush(&self.connection);
        }
        self.topics.borrow_mut().merge();
        self.frames.ring();
    }
}
