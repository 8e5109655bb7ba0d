//! Any bytes on any of three connections leave a shard that can be asked for its output and its effects.
#![no_main]

use std::num::NonZeroU16;
use std::sync::Arc;

use bytes::BytesMut;
use hearth_broker::{Limits, Peer, Shard, ShardCount, ShardId, Shared, Transport};
use hearth_protocol::{Text, Time};
use libfuzzer_sys::fuzz_target;

const GREETINGS: [&[u8]; 3] = [
    b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01a",
    b"\x10\x0e\x00\x04MQTT\x05\x00\x00\x0a\x00\x00\x01b",
    b"\x10\x0f\x00\x06MQIsdp\x03\x00\x00\x0a\x00\x01c",
];

fuzz_target!(|steps: Vec<(u8, &[u8])>| {
    let shared = Arc::new(Shared::new(ShardCount::new(NonZeroU16::MIN), Limits::default(), [1, 2]));
    let mut shard = Shard::new(shared, ShardId::new(0));
    let mut now = Time::ZERO;
    let peer = || Peer {
        address: None,
        transport: Transport::Tcp,
        assigned_client_id: Text::try_from("assigned").expect("is text"),
    };
    let connections = GREETINGS.map(|greeting| {
        let id = shard.handle_open(now, peer());
        shard.handle_input(now, id, &mut BytesMut::from(greeting));
        id
    });
    let mut inputs: [BytesMut; 3] = std::array::from_fn(|_| BytesMut::new());
    for (choice, bytes) in steps {
        now = now.saturating_add(std::time::Duration::from_millis(u64::from(choice) * 10));
        let place = usize::from(choice % 3);
        inputs[place].extend_from_slice(bytes);
        shard.handle_input(now, connections[place], &mut inputs[place]);
        shard.handle_timeout(now);
        while shard.poll_effect().is_some() {}
        while let Some(id) = shard.poll_dirty() {
            if let Some(output) = shard.output(id) {
                output.advance(output.len());
                shard.handle_flushed(now, id);
            }
        }
    }
});
