//! The switches' commands: what a tap asks of a device, until its echo comes or the time is over.

use std::rc::Rc;

use gloo::timers::callback::Timeout;
use hearth_protocol::{QoS, ReasonCode, Time, TopicName};

use super::{Asked, Inner};
use crate::state::command::{Command, Effect, Input};
use crate::state::outcome;
use crate::state::payload::{self, Spelling};
use crate::state::topics::TopicId;

/// A command that has not settled.
pub(super) struct Pending {
    pub(super) command: Command,
    _deadline: Option<Timeout>,
}

impl Inner {
    /// Lets a switch's command take an input, and does what it asks for.
    pub(super) fn command(self: &Rc<Self>, id: TopicId, input: Input) {
        let now = self.connection.now();
        let before = self.commands.borrow().get(&id).map(|pending| pending.command).unwrap_or_default();
        let (command, effect) = before.reduce(input, now);
        if command != before {
            self.keep_command(id, command, now);
        }
        match effect {
            Some(Effect::Publish { target }) => self.publish_command(id, target),
            None => {}
        }
        self.want_frame();
    }

    fn keep_command(self: &Rc<Self>, id: TopicId, command: Command, now: Time) {
        if command == Command::Settled {
            self.commands.borrow_mut().remove(&id);
            return;
        }
        let deadline = command.poll_timeout().map(|at| {
            let wait = u32::try_from(at.saturating_since(now).as_millis()).unwrap_or(u32::MAX);
            let weak = Rc::downgrade(self);
            // One millisecond more than needed, since browsers round down.
            Timeout::new(wait.saturating_add(1), move || {
                if let Some(inner) = weak.upgrade() {
                    inner.command(id, Input::Tick);
                }
            })
        });
        self.commands.borrow_mut().insert(id, Pending { command, _deadline: deadline });
    }

    fn publish_command(self: &Rc<Self>, id: TopicId, target: bool) {
        if !self.link.borrow().is_online() {
            return self.command(id, Input::LinkLost);
        }
        let (topic, spelling) = {
            let topics = self.topics.borrow();
            let topic = topics.topic(id);
            let spelling = payload::switch(topic.payload()).map_or(Spelling::Lower, |(_, spelling)| spelling);
            (TopicName::try_from(format!("{}/set", topic.name()).as_str()), spelling)
        };
        let answer = topic.ok().and_then(|topic| {
            let message = outcome::message(topic, spelling.word(target).as_bytes(), QoS::AtLeastOnce, false);
            self.connection.publish(message).ok()
        });
        match answer {
            Some(token) => {
                self.asked.borrow_mut().insert(token, Asked::Command(id));
            }
            // The topic is too long with its suffix, or the client's queue is full.
            None => self.command(id, Input::Answered(ReasonCode::QuotaExceeded)),
        }
    }
}
