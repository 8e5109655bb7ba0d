//! Sessions that outlived the process, back in their shard.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hearth_protocol::Time;
use hearth_protocol::packet::PacketId;

use super::Shard;
use super::connect::life;
use crate::access::Identity;
use crate::delivery::{Delivery, KeptApart, KeptDelivery};
use crate::durable::{Restored, RestoredDelivery, SessionRow, ShardImage};
use crate::session::{LastWill, Session};
use crate::under_way::UnderWay;

impl Shard {
    /// Takes back what a store has kept; before anything else. The connections of then are gone: a client that had one
    /// has lost it now.
    pub fn restore(&mut self, now: Time, image: ShardImage) {
        self.serial_next += image.serial_max;
        for session in image.sessions {
            self.restore_session(now, session);
        }
    }

    fn restore_session(&mut self, now: Time, restored: Restored) {
        let Restored { serial, row, subscriptions, deliveries, received, released } = restored;
        let SessionRow { client_id, user_name, version, expiry_seconds, ended_at, will, will_due } = row;
        let identity = Identity { user_name: user_name.map(|name| Arc::from(name.as_str())) };
        let mut session = Session::new(serial, client_id, identity, version);
        session.expiry_seconds = expiry_seconds;
        session.expires_at = life(expiry_seconds).map(|life| match ended_at {
            Some(at) => self.shared.time_of(at.saturating_add(millis(life))),
            None => now.saturating_add(life),
        });
        session.is_kept = true;
        session.place_next = deliveries.iter().map(|delivery| delivery.place).max().unwrap_or(0);
        let index = self.sessions.insert(session);
        self.shared.count_kept(self.id, true);
        for (filter, options) in subscriptions {
            if filter.shared().is_some() {
                self.join(index, &filter, options);
            } else {
                let (place, _) = self.router.subscribe(&self.shared.interest, &filter, index, options);
                self.sessions[index].subscriptions.push(place);
                self.begin_view(index, &filter, place, options.id);
            }
        }
        self.restore_flow(index, deliveries, &received, released);
        let will = will.map(|will| {
            let delay = Duration::from_secs(u64::from(will.properties.delay.unwrap_or(0)));
            let due = will_due.map_or(now.saturating_add(delay), |at| self.shared.time_of(at));
            Box::new(LastWill { will, due: Some(due) })
        });
        self.set_will(index, will);
        if ended_at.is_none() {
            // Its time without a connection begins now, which must be known after one more crash.
            self.keep_session(now, index);
        }
        self.tell_room(index);
        self.watch_session(now, index);
    }

    fn restore_flow(
        &mut self,
        index: u32,
        deliveries: Vec<RestoredDelivery>,
        received: &[PacketId],
        released: Vec<PacketId>,
    ) {
        if deliveries.is_empty() && received.is_empty() && released.is_empty() {
            return;
        }
        // PUBREC came for what was released, whatever else is known of it.
        let mut under_way: Vec<_> = released.into_iter().map(|id| (id, None)).collect();
        let mut waiting = Vec::new();
        for restored in deliveries {
            let packet_id = restored.row.packet_id;
            let delivery = self.delivery(index, restored);
            match packet_id {
                Some(id) => under_way.push((id, Some((delivery.qos, delivery)))),
                None => waiting.push(delivery),
            }
        }
        let flow = self.sessions[index].flow_mut();
        flow.outbound = UnderWay::restore(u16::MAX, under_way);
        for id in received {
            flow.inbound.begin(*id);
        }
        self.queued += waiting.len();
        for delivery in waiting {
            flow.queue.push(delivery);
        }
    }

    fn delivery(&self, index: u32, restored: RestoredDelivery) -> Delivery {
        let RestoredDelivery { place, row, is_with_message, message } = restored;
        let shares = self.sessions[index].shares.as_ref();
        // What a session has of a group that it has left is for the other members if it ends.
        let group = row.group.as_ref().map(|filter| {
            let own = shares.and_then(|shares| Some(&shares.groups[shares.find(filter)?]));
            own.map_or_else(|| self.shared.groups.recall(filter), Arc::clone)
        });
        Delivery {
            message,
            qos: row.qos,
            retain: row.retain,
            ids: row.ids.as_slice().into(),
            group,
            kept: Some(if is_with_message {
                KeptDelivery::WithMessage(place)
            } else {
                KeptDelivery::Apart(Rc::new(KeptApart::restored(place, row.message)))
            }),
        }
    }
}

fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX)
}
