//! SUBSCRIBE and UNSUBSCRIBE.

use hearth_protocol::packet::{
    Packet, ReasonProperties, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe,
};
use hearth_protocol::{QoS, ReasonCode, Time, TopicFilter};

use super::Shard;
use crate::access::Decision;
use crate::ids::ConnectionId;
use crate::limits::Limit;
use crate::replay::Replay;
use crate::router::SubscriptionOptions;

impl Shard {
    pub(super) fn on_subscribe(&mut self, now: Time, id: ConnectionId, session: u32, subscribe: &Subscribe) {
        let is_too_many = self.is_too_many(session, subscribe.subscriptions.len());
        let subscription_id = subscribe.properties.subscription_id.unwrap_or(0);
        let mut reasons = Vec::with_capacity(subscribe.subscriptions.len());
        for subscription in &subscribe.subscriptions {
            let reason = match self.objection(session, subscription) {
                _ if is_too_many => ReasonCode::QuotaExceeded,
                Some(reason) => reason,
                None => {
                    self.enter(session, subscription, subscription_id);
                    granted(subscription.qos)
                }
            };
            reasons.push(reason);
        }
        let properties = ReasonProperties::default();
        let suback = SubAck { packet_id: subscribe.packet_id, reasons, properties };
        self.answer(now, id, &Packet::SubAck(suback));
        if self.connection(id).is_some() {
            self.send_queue(now, session);
            self.sessions[session].forget_flow();
        }
    }

    pub(super) fn on_unsubscribe(
        &mut self,
        now: Time,
        id: ConnectionId,
        session: u32,
        unsubscribe: &Unsubscribe,
    ) {
        let is_too_many = self.is_too_many(session, unsubscribe.filters.len());
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            reasons.push(if is_too_many {
                ReasonCode::ImplementationSpecificError
            } else if self.remove(session, filter) {
                ReasonCode::Success
            } else {
                ReasonCode::NoSubscriptionExisted
            });
        }
        let properties = ReasonProperties::default();
        let unsuback = UnsubAck { packet_id: unsubscribe.packet_id, reasons, properties };
        self.answer(now, id, &Packet::UnsubAck(unsuback));
    }

    /// Ends a subscription; whether there was one.
    fn remove(&mut self, session: u32, filter: &TopicFilter) -> bool {
        let owner = &mut self.sessions[session];
        if filter.shared().is_some() {
            let id = owner.id(session);
            let Some(shares) = &mut owner.shares else { return false };
            let Some(place) = shares.find(filter) else { return false };
            let group = shares.groups.swap_remove(place);
            self.leave(id, &group);
            return true;
        }
        let Some(place) = self.router.find(filter, session) else { return false };
        owner.subscriptions.remove(place);
        if owner.is_replaying() {
            owner.flow_mut().end_replay(place);
        }
        self.router.unsubscribe(&self.shared.interest, place, session);
        true
    }

    fn has_subscription(&self, session: u32, filter: &TopicFilter) -> bool {
        if filter.shared().is_some() {
            let shares = self.sessions[session].shares.as_ref();
            return shares.is_some_and(|shares| shares.find(filter).is_some());
        }
        self.router.find(filter, session).is_some()
    }

    fn is_too_many(&mut self, session: u32, filters: usize) -> bool {
        let is_too_many = filters > self.shared.limits.filters_per_packet_max;
        if is_too_many {
            self.limited(session, Limit::FiltersPerPacket);
        }
        is_too_many
    }

    /// Why a subscription is not taken.
    fn objection(&mut self, session_index: u32, subscription: &Subscription) -> Option<ReasonCode> {
        let filter = &subscription.filter;
        let limits = &self.shared.limits;
        let session = &self.sessions[session_index];
        if let Some(limit) = limits.exceeded_by_topic(filter.as_str()) {
            self.limited(session_index, limit);
            return Some(ReasonCode::TopicFilterInvalid);
        }
        let is_full = session.subscriptions_len() >= limits.subscriptions_per_session_max;
        if is_full && !self.has_subscription(session_index, filter) {
            self.limited(session_index, Limit::Subscriptions);
            return Some(ReasonCode::QuotaExceeded);
        }
        let decision = self.shared.access.subscribe(session.subject(), filter);
        (decision == Decision::Deny).then_some(ReasonCode::NotAuthorized)
    }

    /// Enters a subscription, and its retained messages where it wants them [MQTT-3.3.1-9]; they go out after
    /// SUBACK, as there is room.
    fn enter(&mut self, session_index: u32, subscription: &Subscription, id: u32) {
        if subscription.filter.shared().is_some() {
            // Retained messages are for subscriptions that are not shared (4.8.2).
            self.join(session_index, subscription, id);
            return;
        }
        let options = SubscriptionOptions {
            qos: subscription.qos,
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            id,
        };
        let filter = &subscription.filter;
        let (place, is_new) = self.router.subscribe(&self.shared.interest, filter, session_index, options);
        let session = &mut self.sessions[session_index];
        if is_new {
            session.subscriptions.push(place);
        }
        if wants_retained(subscription.retain_handling, is_new) {
            session.flow_mut().begin_replay(Replay::new(place, filter, subscription.qos, id));
        }
    }
}

const fn wants_retained(handling: RetainHandling, is_new: bool) -> bool {
    match handling {
        RetainHandling::Send => true,
        RetainHandling::SendIfNew => is_new,
        RetainHandling::DoNotSend => false,
    }
}

const fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
