//! PINGREQ and PINGRESP (3.12, 3.13).

use hearth_protocol::packet::Packet;

use super::VERSIONS;
use super::broker::SharedBroker;
use super::packets::join;

static BROKER: SharedBroker = SharedBroker::new();

// MQTT 3.1.1 server: MQTT-3.12.4-1
// MQTT 5.0 server: MQTT-3.12.4-1
#[test]
fn each_pingreq_gets_a_pingresp() {
    let hearth = BROKER.get();
    for version in VERSIONS {
        let mut client = join(hearth.mqtt(), version, "ping");
        for count in [1, 3, 100] {
            client.send_bytes(&[0xC0, 0].repeat(count));
            for _ in 0..count {
                assert_eq!(client.next_bytes(), [0xD0, 0], "{version}");
            }
        }
        client.send(&Packet::PingReq);
        assert_eq!(client.next(), Packet::PingResp, "{version}: one for each and not more");
        client.assert_quiet();
    }
}
