//! A bell that components listen to: who subscribes is called at each ring, until the subscription is dropped.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

type Listener = Rc<dyn Fn()>;

#[derive(Default)]
struct Listeners {
    entries: RefCell<Vec<(u64, Listener)>>,
    next_id: Cell<u64>,
}

/// The bell. Clones are the same bell.
#[derive(Clone, Default)]
pub struct Signal {
    listeners: Rc<Listeners>,
}

/// Ends the listening when dropped.
pub struct Subscription {
    listeners: Weak<Listeners>,
    id: u64,
}

impl Signal {
    /// Calls `listener` at each ring from now on.
    #[must_use = "dropping the subscription ends it"]
    pub fn subscribe(&self, listener: impl Fn() + 'static) -> Subscription {
        let id = self.listeners.next_id.get();
        self.listeners.next_id.set(id + 1);
        self.listeners.entries.borrow_mut().push((id, Rc::new(listener)));
        Subscription { listeners: Rc::downgrade(&self.listeners), id }
    }

    /// Calls all listeners of this moment, in the order in which they came. They may subscribe and unsubscribe.
    pub fn ring(&self) {
        let listeners: Vec<Listener> =
            self.listeners.entries.borrow().iter().map(|(_, listener)| Rc::clone(listener)).collect();
        for listener in listeners {
            listener();
        }
    }
}

impl PartialEq for Signal {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.listeners, &other.listeners)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(listeners) = self.listeners.upgrade() {
            listeners.entries.borrow_mut().retain(|(id, _)| *id != self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_subscription_hears_nothing() {
        let signal = Signal::default();
        let count = Rc::new(Cell::new(0));
        let seen = Rc::clone(&count);
        let subscription = signal.subscribe(move || seen.set(seen.get() + 1));
        signal.ring();
        drop(subscription);
        signal.ring();
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn a_listener_may_subscribe_while_it_is_called() {
        let signal = Signal::default();
        let kept = Rc::new(RefCell::new(Vec::new()));
        let (bell, list) = (signal.clone(), Rc::clone(&kept));
        let _first = signal.subscribe(move || {
            let more = bell.subscribe(|| {});
            list.borrow_mut().push(more);
        });
        signal.ring();
        assert_eq!(kept.borrow().len(), 1);
    }
}
