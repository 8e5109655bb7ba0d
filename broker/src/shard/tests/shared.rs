//! Shared subscriptions over three shards: one member gets a message, and somebody gets every one.

use super::*;

const FILTER: &str = "$share/workers/jobs/#";

/// Sessions of both versions whose ids lie on all shards.
fn members(broker: &mut Broker, count: usize, qos: QoS) -> Vec<usize> {
    (0..count)
        .map(|number| {
            let mut options = persistent(&format!("member {number}"));
            if number % 2 == 1 {
                options.version = Version::V311;
                options.properties = ConnectProperties::default();
            }
            let member = broker.client(options);
            assert!(!broker.subscribe(member, filter(FILTER, qos)).is_failure());
            member
        })
        .collect()
}

fn publish_jobs(broker: &mut Broker, publisher: usize, count: usize, qos: QoS) {
    for number in 0..count {
        let topic = TopicName::try_from(format!("jobs/{number}").as_str()).unwrap();
        let reason = broker.publish(publisher, Publish { topic, ..message("jobs", "job", qos) });
        assert_eq!(reason, Some(ReasonCode::Success), "job {number}");
    }
}

/// What each member got, by the number of the job.
fn jobs(broker: &mut Broker, members: &[usize]) -> Vec<Vec<usize>> {
    let number = |publish: Publish| publish.topic.levels().next_back().unwrap().parse().unwrap();
    members.iter().map(|member| broker.messages(*member).into_iter().map(number).collect()).collect()
}

fn sorted(jobs: &[Vec<usize>]) -> Vec<usize> {
    let mut all: Vec<usize> = jobs.iter().flatten().copied().collect();
    all.sort_unstable();
    all
}

#[test]
fn each_message_goes_to_one_member_and_all_members_take_turns() {
    for qos in ALL_QOS {
        let mut broker = Broker::new(3);
        let members = members(&mut broker, 6, qos);
        let shards: HashSet<usize> = members.iter().map(|member| broker.links[member].0).collect();
        assert_eq!(shards.len(), 3, "the group lies on every shard");
        let publisher = broker.client(options("publisher"));
        publish_jobs(&mut broker, publisher, 60, qos);
        let jobs = jobs(&mut broker, &members);
        assert_eq!(sorted(&jobs), (0..60).collect::<Vec<_>>());
        assert!(jobs.iter().all(|jobs| jobs.len() == 10), "{jobs:?}");
    }
}

#[test]
fn a_member_that_is_away_is_passed_over_and_the_last_one_keeps_what_comes() {
    let mut broker = Broker::new(3);
    let members = members(&mut broker, 3, QoS::AtLeastOnce);
    let publisher = broker.client(options("publisher"));
    broker.cut(members[0]);
    publish_jobs(&mut broker, publisher, 10, QoS::AtLeastOnce);
    assert_eq!(sorted(&jobs(&mut broker, &members[1..])), (0..10).collect::<Vec<_>>());
    broker.cut(members[1]);
    broker.cut(members[2]);
    publish_jobs(&mut broker, publisher, 10, QoS::AtLeastOnce);
    for member in &members {
        broker.connect(*member);
    }
    assert_eq!(sorted(&jobs(&mut broker, &members)), (0..10).collect::<Vec<_>>());
}

#[test]
fn without_a_member_that_keeps_messages_the_publisher_hears_of_nobody() {
    let mut broker = Broker::new(3);
    let member = broker.client(options("member"));
    let publisher = broker.client(options("publisher"));
    assert!(!broker.subscribe(member, filter(FILTER, QoS::AtLeastOnce)).is_failure());
    publish_jobs(&mut broker, publisher, 1, QoS::AtLeastOnce);
    broker.cut(member);
    let reason = broker.publish(publisher, message("jobs/1", "job", QoS::AtLeastOnce));
    assert_eq!(reason, Some(ReasonCode::NoMatchingSubscribers));
    assert_eq!((broker.shared.groups.len(), broker.count(|stats| stats.subscriptions as u64)), (0, 0));
}

#[test]
fn a_member_with_a_full_window_is_passed_over_while_others_have_room() {
    let mut broker = Broker::new(3);
    let slow = broker.connected(resume("slow", 2));
    broker.send(slow, Version::V5, [subscribe(1, &[FILTER], QoS::AtLeastOnce)]);
    let quick = members(&mut broker, 1, QoS::AtLeastOnce);
    let publisher = broker.client(options("publisher"));
    publish_jobs(&mut broker, publisher, 20, QoS::AtLeastOnce);
    let to_slow = broker.received(slow, Version::V5);
    let to_slow = to_slow.iter().filter(|packet| matches!(packet, Packet::Publish(_))).count();
    assert_eq!((to_slow, jobs(&mut broker, &quick)[0].len()), (2, 18));
}

#[test]
fn what_a_member_left_unacknowledged_goes_to_another_when_it_goes() {
    for ends_for_ever in [false, true] {
        let mut broker = Broker::new(3);
        let expiry = if ends_for_ever { 0 } else { 3600 };
        let mut connect = resume("silent", 3);
        connect.properties.session_expiry = Some(expiry);
        let silent = broker.connected(connect);
        broker.send(silent, Version::V5, [subscribe(1, &[FILTER], QoS::AtLeastOnce)]);
        let publisher = broker.client(options("publisher"));
        publish_jobs(&mut broker, publisher, 5, QoS::AtLeastOnce);
        let other = members(&mut broker, 1, QoS::AtLeastOnce);
        assert_eq!(jobs(&mut broker, &other), [vec![0; 0]]);
        broker.hang_up(silent);
        assert_eq!(jobs(&mut broker, &other), [vec![0, 1, 2, 3, 4]], "session ends: {ends_for_ever}");
    }
}

#[test]
fn what_nobody_else_can_take_waits_for_the_member_that_was_sent_it() {
    let mut broker = Broker::new(3);
    let silent = broker.connected(resume("silent", 3));
    broker.send(silent, Version::V5, [subscribe(1, &[FILTER], QoS::AtLeastOnce)]);
    let publisher = broker.client(options("publisher"));
    publish_jobs(&mut broker, publisher, 5, QoS::AtLeastOnce);
    broker.hang_up(silent);
    let back = broker.wire("silent");
    broker.send(back, Version::V5, [Packet::Connect(Box::new(resume("silent", 10)))]);
    let came = broker.received(back, Version::V5).into_iter();
    let dups: Vec<bool> = came
        .filter_map(|packet| if let Packet::Publish(publish) = packet { Some(publish.dup) } else { None })
        .collect();
    assert_eq!(dups, [true, true, true, false, false]);
}

#[test]
fn a_qos_2_message_that_was_sent_stays_with_its_member_and_one_that_waits_does_not() {
    let mut broker = Broker::new(3);
    let mut connect = resume("silent", 1);
    connect.properties.session_expiry = Some(0);
    let silent = broker.connected(connect);
    broker.send(silent, Version::V5, [subscribe(1, &[FILTER], QoS::ExactlyOnce)]);
    let publisher = broker.client(options("publisher"));
    publish_jobs(&mut broker, publisher, 3, QoS::ExactlyOnce);
    let other = members(&mut broker, 1, QoS::ExactlyOnce);
    broker.hang_up(silent);
    assert_eq!(jobs(&mut broker, &other), [vec![1, 2]]);
}

#[test]
fn an_ordinary_subscription_beside_the_shared_one_gets_every_message_and_retained_ones() {
    let mut broker = Broker::new(3);
    let publisher = broker.client(options("publisher"));
    broker.publish(publisher, retained("jobs/old", "kept"));
    let members = members(&mut broker, 2, QoS::AtLeastOnce);
    assert_eq!(jobs(&mut broker, &members), [vec![0; 0], vec![]], "a group gets no retained messages");
    assert!(!broker.subscribe(members[0], filter("jobs/+", QoS::AtLeastOnce)).is_failure());
    assert_eq!(broker.payloads(members[0]).len(), 1);
    publish_jobs(&mut broker, publisher, 10, QoS::AtLeastOnce);
    let jobs = jobs(&mut broker, &members);
    assert_eq!((jobs[0].len(), jobs[1].len()), (15, 5));
}

#[test]
fn whoever_unsubscribes_is_out_of_the_group_at_once() {
    let mut broker = Broker::new(3);
    let members = members(&mut broker, 2, QoS::AtLeastOnce);
    let publisher = broker.client(options("publisher"));
    publish_jobs(&mut broker, publisher, 2, QoS::AtLeastOnce);
    let leaver = broker.clients[members[0]]
        .unsubscribe(broker.now, vec![TopicFilter::try_from(FILTER).unwrap()], Default::default())
        .unwrap();
    broker.run();
    let answer = broker.heard[members[0]].iter().any(|event| {
        matches!(event, ClientEvent::Unsubscribed { token, reasons }
            if *token == leaver && reasons[..] == [ReasonCode::Success])
    });
    assert!(answer);
    jobs(&mut broker, &members);
    publish_jobs(&mut broker, publisher, 4, QoS::AtLeastOnce);
    assert_eq!(jobs(&mut broker, &members), [vec![], vec![0, 1, 2, 3]]);
}

#[test]
fn when_every_member_is_full_the_publisher_is_told_and_nothing_is_held_twice() {
    let limits = Limits { queued_messages_max: 3, ..Limits::default() };
    let mut broker = Broker::with_limits(3, limits);
    let members = members(&mut broker, 2, QoS::AtLeastOnce);
    let publisher = broker.client(options("publisher"));
    broker.cut(members[0]);
    broker.cut(members[1]);
    publish_jobs(&mut broker, publisher, 3, QoS::AtLeastOnce);
    let mut refused = 0;
    for number in 3..20 {
        let topic = TopicName::try_from(format!("jobs/{number}").as_str()).unwrap();
        let job = Publish { topic, ..message("jobs", "job", QoS::AtLeastOnce) };
        refused += usize::from(broker.publish(publisher, job) == Some(ReasonCode::QuotaExceeded));
    }
    for member in &members {
        broker.connect(*member);
    }
    let got = sorted(&jobs(&mut broker, &members)).len();
    assert_eq!(got, 6, "three for each");
    assert_eq!(refused, 14, "on whatever shard the members are");
}

#[test]
fn a_publisher_is_not_refused_because_qos_0_members_are_away() {
    let mut broker = Broker::new(3);
    let member = members(&mut broker, 1, QoS::AtMostOnce)[0];
    let publisher = broker.client(options("publisher"));
    broker.cut(member);
    publish_jobs(&mut broker, publisher, 3, QoS::ExactlyOnce);
    broker.connect(member);
    assert_eq!(jobs(&mut broker, &[member]), [vec![0; 0]]);
}
