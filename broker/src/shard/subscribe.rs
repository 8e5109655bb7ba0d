//! SUBSCRIBE and UNSUBSCRIBE.

use hearth_protocol::packet::{
    Packet, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe,
};
use hearth_protocol::property::UserProperties;
use hearth_protocol::{QoS, ReasonCode, Time, TopicFilter};

use super::Shard;
use crate::access::Decision;
use crate::ids::ConnectionId;
use crate::limits::Limit;
use crate::refusal::Refusal;
use crate::replay::Replay;
use crate::router::SubscriptionOptions;
use crate::view::is_below_root;

impl Shard {
    pub(super) fn on_subscribe(&mut self, now: Time, id: ConnectionId, session: u32, subscribe: &Subscribe) {
        let refused = self.refusal_of_all(
            session,
            subscribe.subscriptions.len(),
            &subscribe.properties.user_properties,
        );
        let subscription_id = subscribe.properties.subscription_id.unwrap_or(0);
        let mut reasons = Vec::with_capacity(subscribe.subscriptions.len());
        let mut detail = None;
        for subscription in &subscribe.subscriptions {
            let refusal = refused.or_else(|| self.refusal(session, subscription));
            reasons.push(refusal.map_or(granted(subscription.qos), |refusal| refusal.reason));
            match refusal {
                // The words are one text for all filters: those of the first that was refused.
                Some(refusal) => detail = detail.or(Some(refusal.detail)),
                None => self.enter(session, subscription, subscription_id),
            }
        }
        let packet_id = subscribe.packet_id;
        self.answer_with(now, id, detail, |properties| {
            Packet::SubAck(SubAck { packet_id, reasons: reasons.clone(), properties })
        });
    }

    pub(super) fn on_unsubscribe(
        &mut self,
        now: Time,
        id: ConnectionId,
        session: u32,
        unsubscribe: &Unsubscribe,
    ) {
        let refused =
            self.refusal_of_all(session, unsubscribe.filters.len(), &unsubscribe.properties.user_properties);
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            reasons.push(if refused.is_some() {
                // UNSUBACK has no code for a quota (3.11.3).
                ReasonCode::ImplementationSpecificError
            } else if self.remove(session, filter) {
                self.keep_subscription(session, filter, None);
                ReasonCode::Success
            } else {
                ReasonCode::NoSubscriptionExisted
            });
        }
        let packet_id = unsubscribe.packet_id;
        self.answer_with(now, id, refused.map(|refusal| refusal.detail), |properties| {
            Packet::UnsubAck(UnsubAck { packet_id, reasons: reasons.clone(), properties })
        });
        if self.connection(id).is_some() {
            // What waited behind the retained messages of a subscription that is gone waits no more.
            self.send_queue(now, session);
        }
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
        self.end_view(session, place);
        let owner = &mut self.sessions[session];
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

    /// Why no filter of a packet is taken.
    fn refusal_of_all(
        &mut self,
        session: u32,
        filters: usize,
        user_properties: &UserProperties,
    ) -> Option<Refusal> {
        let limits = &self.shared.limits;
        let limit = if filters > limits.filters_per_packet_max {
            Limit::FiltersPerPacket
        } else if user_properties.bytes() > limits.user_property_bytes_max {
            Limit::UserPropertyBytes
        } else {
            return None;
        };
        self.limited(session, limit);
        Some(Refusal::limit(ReasonCode::QuotaExceeded, limit))
    }

    /// Why a subscription is not taken.
    fn refusal(&mut self, session_index: u32, subscription: &Subscription) -> Option<Refusal> {
        let filter = &subscription.filter;
        let limits = &self.shared.limits;
        let session = &self.sessions[session_index];
        if let Some(limit) = limits.exceeded_by_topic(filter.as_str()) {
            self.limited(session_index, limit);
            return Some(Refusal::limit(ReasonCode::TopicFilterInvalid, limit));
        }
        let is_full = session.subscriptions_len() >= limits.subscriptions_per_session_max;
        if is_full && !self.has_subscription(session_index, filter) {
            self.limited(session_index, Limit::Subscriptions);
            return Some(Refusal::limit(ReasonCode::QuotaExceeded, Limit::Subscriptions));
        }
        if is_below_root(filter.pattern()) {
            // Not a matter of this filter: what of the tree a client sees is what it may read.
            return self.view_refusal(session_index, filter);
        }
        let decision = self.shared.access.subscribe(session.subject(), filter);
        let denied = Refusal::new(ReasonCode::NotAuthorized, "access rules refuse this filter");
        (decision == Decision::Deny).then_some(denied)
    }

    /// Enters a subscription, and its retained messages where it wants them [MQTT-3.3.1-9]; they go out after
    /// SUBACK, as there is room.
    fn enter(&mut self, session_index: u32, subscription: &Subscription, id: u32) {
        let options = SubscriptionOptions {
            qos: subscription.qos,
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            id,
        };
        self.keep_subscription(session_index, &subscription.filter, Some(options));
        if subscription.filter.shared().is_some() {
            // Retained messages are for subscriptions that are not shared (4.8.2).
            self.join(session_index, &subscription.filter, options);
            return;
        }
        let filter = &subscription.filter;
        let (place, is_new) = self.router.subscribe(&self.shared.interest, filter, session_index, options);
        let session = &mut self.sessions[session_index];
        if is_new {
            session.subscriptions.push(place);
        }
        if self.begin_view(session_index, filter, place, id) {
            return;
        }
        let session = &mut self.sessions[session_index];
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
