//! Generated packets and damaged bytes through the codec and the connection machines.

use bytes::BytesMut;
use hearth_protocol::codec::{decode, encode, encoded_len};
use hearth_protocol::connection::client::{Client, ClientOptions};
use hearth_protocol::connection::server::{ServerConnection, ServerTerms};
use hearth_protocol::generate::{Random, decode_encode_decode, malformed_input, packet};
use hearth_protocol::packet::Packet;
use hearth_protocol::{Text, Time, Version};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

#[test]
fn every_generated_packet_comes_back_from_its_bytes() {
    for seed in 0..20_000 {
        let random = &mut Random::new(seed);
        for version in VERSIONS {
            let packet = packet(random, version);
            let mut bytes = BytesMut::new();
            encode(&packet, version, &mut bytes).unwrap();
            assert_eq!(encoded_len(&packet, version).unwrap(), bytes.len(), "seed {seed}");
            let decoded = decode(&mut bytes, version, usize::MAX);
            assert_eq!(decoded, Ok(Some(packet)), "seed {seed} version {version}");
            assert!(bytes.is_empty());
        }
    }
}

#[test]
fn a_stream_cut_anywhere_yields_the_same_packets() {
    for seed in 0..200 {
        let random = &mut Random::new(seed);
        let version = random.pick(&VERSIONS);
        let packets: Vec<Packet> = (0..5).map(|_| packet(random, version)).collect();
        let mut bytes = BytesMut::new();
        packets.iter().for_each(|packet| encode(packet, version, &mut bytes).unwrap());
        // Every place in the headers and small packets; steps through a long payload.
        for cut in (0..bytes.len()).filter(|cut| *cut < 4_096 || cut % 65_521 == 0) {
            let mut input = BytesMut::from(&bytes[..cut]);
            let mut decoded = Vec::new();
            while let Some(packet) = decode(&mut input, version, usize::MAX).unwrap() {
                decoded.push(packet);
            }
            input.extend_from_slice(&bytes[cut..]);
            while let Some(packet) = decode(&mut input, version, usize::MAX).unwrap() {
                decoded.push(packet);
            }
            assert_eq!(decoded, packets, "seed {seed} cut at {cut}");
        }
    }
}

#[test]
fn what_the_decoder_takes_of_damaged_bytes_it_can_write_and_take_again() {
    let (mut taken, mut refused) = (0, 0);
    for number in 0..30_000 {
        let input = malformed_input(7, number);
        for version in VERSIONS {
            let (packets, error) = decode_encode_decode(&input, version);
            taken += packets;
            if let Some(error) = error {
                refused += 1;
                assert!(error.reason().is_failure(), "input {number}: {error}");
            }
        }
    }
    assert!(taken > 10_000 && refused > 10_000, "{taken} taken, {refused} refused: both kinds are needed");
}

#[test]
fn a_packet_written_for_another_version_is_one_of_that_version_or_refused() {
    let (mut written, mut refused) = (0, 0);
    for seed in 0..10_000 {
        let random = &mut Random::new(seed);
        let (of, version) = (random.pick(&VERSIONS), random.pick(&VERSIONS));
        let packet = packet(random, of);
        // A CONNECT is written for the version that it names.
        if matches!(packet, Packet::Connect(_)) {
            continue;
        }
        let mut bytes = BytesMut::new();
        if encode(&packet, version, &mut bytes).is_err() {
            assert!(bytes.is_empty(), "seed {seed}");
            refused += 1;
            continue;
        }
        written += 1;
        let first = bytes.clone();
        let read = decode(&mut bytes, version, usize::MAX).unwrap().unwrap();
        assert_eq!(read.packet_type(), packet.packet_type(), "seed {seed}");
        let mut again = BytesMut::new();
        encode(&read, version, &mut again).unwrap();
        assert_eq!(again, first, "seed {seed}: {packet:?}");
    }
    assert!(written > 5_000 && refused > 100, "{written} written, {refused} refused: both are needed");
}

#[test]
fn no_bytes_make_either_side_of_a_connection_panic() {
    for number in 0..30_000 {
        let input = malformed_input(11, number);
        let mut server = ServerConnection::new(1 << 20);
        let mut bytes = BytesMut::from(&input[..]);
        while let Ok(Some(packet)) = server.next_packet(Time::ZERO, &mut bytes) {
            if let Packet::Connect(connect) = packet {
                server.accept(Time::ZERO, &connect, ServerTerms { keep_alive: 1, topic_alias_maximum: 3 });
            }
        }
        let options = ClientOptions::new(Text::try_from("client").unwrap());
        for is_open in [false, true] {
            let mut client = Client::new(options.clone());
            client.handle_open(Time::ZERO);
            if is_open {
                client.handle_input(Time::ZERO, &mut BytesMut::from(&b"\x20\x03\x00\x00\x00"[..])).unwrap();
                assert!(client.is_connected());
            }
            // Refused or taken: what matters is that it returns.
            let _outcome = client.handle_input(Time::ZERO, &mut BytesMut::from(&input[..]));
        }
    }
}
