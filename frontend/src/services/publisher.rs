//! Publishes what the form holds, once or again and again, and follows what becomes of it.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use gloo::timers::callback::Interval;
use hearth_protocol::connection::client::Token;
use hearth_protocol::packet::Publish;
use hearth_protocol::{QoS, ReasonCode};

use super::clock;
use super::hub::Hub;
use super::part::Part;
use crate::state::draft::Draft;
use crate::state::link::Link;
use crate::state::outcome::{Answer, Failure, Outcome};
use crate::state::repeat::{Phase, Plan, Run};
use crate::state::sendings::Sendings;
use crate::state::template::Values;

/// What the publish page works with; it outlives the page.
#[derive(Default)]
pub struct Publisher {
    draft: RefCell<Draft>,
    revision: Cell<u64>,
    sendings: RefCell<Sendings>,
    /// The publication that the form shows the outcome of.
    shown: RefCell<Shown>,
    run: Cell<Option<Run>>,
    timer: RefCell<Option<Interval>>,
    counter: Cell<u64>,
}

/// What the form says of its last publication.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Shown {
    /// Nothing: the form has changed since.
    #[default]
    Nothing,
    /// It came to nothing before it was a message.
    Failed(Failure),
    /// The outcome of the publication with this number.
    Sending(u64),
}

impl Publisher {
    /// The publisher of a hub.
    pub fn of(hub: &Hub) -> Rc<Self> {
        hub.part(Self::default)
    }

    /// The form.
    pub fn draft(&self) -> Ref<'_, Draft> {
        self.draft.borrow()
    }

    /// Grows with each change of the form.
    pub fn revision(&self) -> u64 {
        self.revision.get()
    }

    /// The form has changed: its last result was for what stood there before.
    pub fn edit(&self, hub: &Hub, draft: Draft) {
        self.draft.replace(draft);
        self.revision.set(self.revision.get() + 1);
        self.shown.replace(Shown::Nothing);
        hub.touch();
    }

    /// The last publications.
    pub fn sendings(&self) -> Ref<'_, Sendings> {
        self.sendings.borrow()
    }

    /// Forgets the last publications.
    pub fn clear(&self, hub: &Hub) {
        self.sendings.borrow_mut().clear();
        self.shown.replace(Shown::Nothing);
        hub.touch();
    }

    /// What became of the form's last publication; `None` when it has changed since.
    pub fn outcome(&self) -> Option<Outcome> {
        match &*self.shown.borrow() {
            Shown::Nothing => None,
            Shown::Failed(failure) => Some(Outcome::Failed(failure.clone())),
            Shown::Sending(id) => self.sendings.borrow().find(*id).map(|sending| sending.outcome.clone()),
        }
    }

    /// The repetition under way, or the last one.
    pub fn run(&self) -> Option<Run> {
        self.run.get()
    }

    /// What the next message would fill in, without the randomness: to check a form while it is typed.
    pub fn values(&self) -> Values {
        Values { counter: self.counter.get() + 1, now_ms: clock::wall_ms(), random: 0 }
    }

    /// Sends what the form holds.
    pub fn send(&self, hub: &Hub) -> Outcome {
        self.counter.set(self.counter.get() + 1);
        let random = (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
        let values = Values { counter: self.counter.get(), now_ms: clock::wall_ms(), random };
        let message = self.draft.borrow().message(&values);
        let outcome = match message {
            Err(error) => self.show_failure(Failure::Draft(error)),
            Ok(_) if !hub.link().is_online() => self.show_failure(Failure::Offline),
            Ok(message) => self.send_message(hub, message, values.now_ms),
        };
        hub.touch();
        outcome
    }

    fn show_failure(&self, failure: Failure) -> Outcome {
        self.shown.replace(Shown::Failed(failure.clone()));
        Outcome::Failed(failure)
    }

    fn send_message(&self, hub: &Hub, message: Publish, now_ms: f64) -> Outcome {
        if let Some(topic) =
            message.properties.as_ref().and_then(|properties| properties.response_topic.as_ref())
        {
            hub.connection().hear(topic);
        }
        let acknowledged = message.qos > QoS::AtMostOnce;
        // What becomes of it may be told as soon as it is flushed.
        let queued = hub.connection().queue(message.clone());
        let (outcome, token) = match queued {
            Ok(token) if acknowledged => (Outcome::Sending, Some(token)),
            Ok(token) => (Outcome::Sent, Some(token)),
            Err(error) => (Outcome::Failed(Failure::Client(error.to_string())), None),
        };
        let id = self.sendings.borrow_mut().begin(&message, outcome.clone(), token, now_ms);
        self.shown.replace(Shown::Sending(id));
        hub.connection().flush();
        outcome
    }

    /// Begins to send what the form holds again and again.
    pub fn begin(&self, hub: &Hub, plan: Plan) {
        self.run.set(Some(Run::new(plan)));
        self.on_tick(hub);
        if self.is_running() {
            let weak = hub.downgrade();
            let timer = Interval::new(plan.every_ms, move || {
                if let Some(hub) = weak.upgrade() {
                    Self::of(&hub).on_tick(&hub);
                }
            });
            self.timer.replace(Some(timer));
        }
    }

    /// Ends the repetition.
    pub fn stop(&self, hub: &Hub) {
        self.change_run(Run::stop);
        hub.touch();
    }

    fn is_running(&self) -> bool {
        self.run.get().is_some_and(|run| run.phase == Phase::Running)
    }

    fn on_tick(&self, hub: &Hub) {
        if self.run.get().is_some_and(|run| run.poll_send()) {
            let outcome = self.send(hub);
            self.change_run(|run| run.on_sent(&outcome));
        }
        hub.touch();
    }

    fn change_run(&self, change: impl FnOnce(&mut Run)) {
        if let Some(mut run) = self.run.get() {
            change(&mut run);
            self.run.set(Some(run));
        }
        if !self.is_running() {
            // A timer may end itself: it is dropped after its call.
            self.timer.replace(None);
        }
    }
}

impl Part for Publisher {
    fn on_message(&self, _hub: &Hub, message: &Publish, at_ms: f64, is_trees: bool) {
        if is_trees {
            self.sendings.borrow_mut().on_message(message, at_ms);
        }
    }

    fn on_published(&self, _hub: &Hub, token: Token, answer: &Answer) {
        let outcome = self.sendings.borrow_mut().on_answer(token, answer, clock::wall_ms());
        if let Some(outcome) = outcome {
            self.change_run(|run| run.on_answer(&outcome));
        }
    }

    fn on_answered(&self, _hub: &Hub, _token: Token, _reasons: &[ReasonCode]) {}

    fn on_link(&self, _hub: &Hub, link: &Link) {
        match link {
            Link::Online { .. } | Link::Checking | Link::Connecting => {}
            Link::Waiting { .. } | Link::Refused { .. } | Link::Closed => {
                self.sendings.borrow_mut().on_lost();
                self.change_run(Run::on_lost);
            }
        }
    }
}
