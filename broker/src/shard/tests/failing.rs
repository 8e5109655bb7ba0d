//! While the disk takes nothing, clients come and go: nothing is promised to the next connection that was not to the last.

use super::durable::away;
use super::*;

impl Broker {
    /// The disk takes nothing, and everybody knows.
    fn fail(&mut self) {
        self.stick();
        self.run();
        self.shared.set_store_failing(true);
        let now = self.now;
        self.shards.iter_mut().for_each(|shard| shard.handle_commit_failed(now));
        self.run();
    }

    fn recover(&mut self) {
        self.shared.set_store_failing(false);
        self.unstick();
    }

    /// A session with a subscription, that a QoS 2 message waits for.
    fn awaited(&mut self, client_id: &str, pattern: &str) {
        let wire = self.connected(resume(client_id, 10));
        self.send(wire, Version::V5, [subscribe(1, &[pattern], QoS::ExactlyOnce)]);
        self.hang_up(wire);
        let publisher = self.client(options("publisher"));
        assert_eq!(self.publish(publisher, message("a", "1", QoS::ExactlyOnce)), Some(ReasonCode::Success));
    }
}

fn kept(client_id: &str) -> Connect {
    Connect { clean_start: false, ..connect(client_id, Version::V311) }
}

#[test]
fn a_qos_2_message_waits_for_the_disk_on_every_connection_and_comes_as_the_first() {
    let mut broker = Broker::new(1);
    broker.awaited("s", "a");
    broker.fail();
    let wire = broker.connected(resume("s", 10));
    broker.hang_up(wire);
    let wire = broker.wire("s");
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume("s", 10)))]);
    let got = broker.received(wire, Version::V5);
    assert!(matches!(&got[..], [Packet::ConnAck(_)]), "its identifier is not on disk: {got:?}");
    broker.recover();
    let got = broker.received(wire, Version::V5);
    let [Packet::Publish(publish)] = &got[..] else { panic!("{got:?}") };
    assert!(!publish.dup && publish.payload == "1", "{publish:?}");
}

#[test]
fn what_never_went_out_cannot_be_acknowledged() {
    let mut broker = Broker::new(1);
    broker.awaited("s", "a");
    broker.fail();
    let wire = broker.connected(resume("s", 10));
    for reason in [ReasonCode::Success, ReasonCode::UnspecifiedError] {
        broker.send(wire, Version::V5, [Packet::PubRec(PublishAck::new(packet_id(1), reason))]);
    }
    let got = broker.received(wire, Version::V5);
    let [Packet::PubRel(ack)] = &got[..] else { panic!("{got:?}") };
    assert_eq!(ack.reason, ReasonCode::PacketIdentifierNotFound);
    broker.recover();
    let got = broker.received(wire, Version::V5);
    assert!(matches!(&got[..], [Packet::Publish(publish)] if publish.payload == "1"), "{got:?}");
}

#[test]
fn a_shared_qos_2_message_that_never_went_out_goes_to_another_member() {
    let mut broker = Broker::new(1);
    broker.awaited("one", "$share/g/a");
    let other = broker.client(persistent("other"));
    broker.subscribe(other, filter("$share/g/a", QoS::ExactlyOnce));
    broker.fail();
    let wire = broker.connected(resume("one", 10));
    let mut goodbye = Disconnect::new(ReasonCode::Success);
    goodbye.properties.session_expiry = Some(0);
    broker.send(wire, Version::V5, [Packet::Disconnect(goodbye)]);
    broker.recover();
    assert_eq!(broker.payloads(other), ["1"]);
    assert_eq!(broker.crash(Duration::ZERO).payloads(other), [""; 0]);
}

#[test]
fn what_comes_again_is_answered_no_earlier_than_the_first_time() {
    let mut broker = Broker::new(1);
    broker.awaited("s", "a");
    let id = packet_id(7);
    let steps = [
        (publish(7, "a", "2", QoS::ExactlyOnce), Packet::PubRec(PublishAck::success(id))),
        (Packet::PubRel(PublishAck::success(id)), Packet::PubComp(PublishAck::success(id))),
    ];
    for (said, answer) in steps {
        let wire = broker.connected(kept("p"));
        broker.stick();
        broker.send(wire, Version::V311, [said.clone()]);
        broker.fail();
        assert_eq!(broker.received(wire, Version::V311), []);
        broker.hang_up(wire);
        let wire = broker.connected(kept("p"));
        broker.send(wire, Version::V311, [said]);
        assert_eq!(broker.received(wire, Version::V311), [], "it could be forgotten by a crash");
        broker.recover();
        assert_eq!(broker.received(wire, Version::V311), [answer]);
        broker.hang_up(wire);
    }
}

#[test]
fn what_comes_again_of_a_session_that_is_to_end_with_its_connection_is_answered_no_earlier_either() {
    let mut broker = Broker::new(3);
    let subscribers = ["s 1", "s 2", "s 3", "s 4"].map(|id| away(&mut broker, id, "a", QoS::ExactlyOnce));
    let said = || publish(7, "a", "2", QoS::ExactlyOnce);
    let wire = broker.connected(resume("p", 10));
    broker.stick();
    broker.send(wire, Version::V5, [said()]);
    broker.hang_up(wire);
    broker.fail();
    let over_with_it = Connect { clean_start: false, ..connect("p", Version::V5) };
    let wire = broker.connected(over_with_it);
    broker.send(wire, Version::V5, [said()]);
    assert_eq!(broker.received(wire, Version::V5), [], "its row on the way to other shards is not on disk");
    broker.recover();
    let answer = Packet::PubRec(PublishAck::success(packet_id(7)));
    assert_eq!(broker.received(wire, Version::V5), [answer]);
    let mut broker = broker.crash(Duration::ZERO);
    for subscriber in subscribers {
        broker.connect(subscriber);
        assert_eq!(broker.payloads(subscriber), ["2"]);
    }
}

#[test]
fn a_qos_2_message_of_a_kept_session_is_refused_before_anybody_gets_it_or_held() {
    let mut broker = Broker::new(2);
    let subscribers = ["s 1", "s 2", "s 3"].map(|id| {
        let subscriber = broker.client(options(id));
        broker.subscribe(subscriber, filter("a", QoS::ExactlyOnce));
        subscriber
    });
    let said = |number, payload| publish(number, "a", payload, QoS::ExactlyOnce);
    let answer = |number, reason| Packet::PubRec(PublishAck::new(packet_id(number), reason));
    let wire = broker.connected(resume("p", 10));
    broker.fail();
    broker.send(wire, Version::V5, [said(1, "refused")]);
    assert_eq!(broker.received(wire, Version::V5), [answer(1, ReasonCode::QuotaExceeded)]);
    broker.recover();
    broker.stick();
    broker.send(wire, Version::V5, [said(1, "held")]);
    broker.fail();
    broker.send(wire, Version::V5, [said(2, "behind it")]);
    assert_eq!(broker.received(wire, Version::V5), []);
    broker.recover();
    let taken = [answer(1, ReasonCode::Success), answer(2, ReasonCode::Success)];
    assert_eq!(broker.received(wire, Version::V5), taken);
    for subscriber in subscribers {
        assert_eq!(broker.payloads(subscriber), ["held", "behind it"]);
    }
}

#[test]
fn pubrel_is_sent_again_no_earlier_than_it_would_have_been_first() {
    let mut broker = Broker::new(1);
    broker.awaited("s", "a");
    let wire = broker.wire("s");
    broker.send(wire, Version::V5, [Packet::Connect(Box::new(resume("s", 10)))]);
    assert!(matches!(&broker.received(wire, Version::V5)[..], [Packet::ConnAck(_), Packet::Publish(_)]));
    broker.stick();
    broker.send(wire, Version::V5, [Packet::PubRec(PublishAck::success(packet_id(1)))]);
    broker.fail();
    broker.hang_up(wire);
    let wire = broker.connected(resume("s", 10));
    assert_eq!(broker.received(wire, Version::V5), [], "after a crash the message would come again");
    broker.send(wire, Version::V5, [Packet::PubRec(PublishAck::success(packet_id(1)))]);
    assert_eq!(broker.received(wire, Version::V5), []);
    broker.recover();
    let released = Packet::PubRel(PublishAck::success(packet_id(1)));
    assert_eq!(broker.received(wire, Version::V5), [released.clone(), released]);
}
