//! The interoperability table: the same scenarios through every client, version and transport.
//!
//! A row is a module here, a column a test in it. `cargo xtask interop` runs them and writes `docs/interoperability.md`.

pub mod client;
pub mod message;
pub mod mosquitto_broker;
mod mosquitto_tools;
mod own_client;
mod row;
mod rumqttc_v4;
mod rumqttc_v5;
mod scenario;
mod table;

/// The tests of each row, and the list of the rows.
macro_rules! rows {
    ($($name:ident: $program:ident $version:ident $transport:ident $broker:ident,)*) => {
        $(
            mod $name {
                use crate::interop::row::{Broker, Program, Row, Transport};
                use crate::interop::scenario::Scenario;

                pub const ROW: Row = Row {
                    program: Program::$program,
                    version: hearth_protocol::Version::$version,
                    transport: Transport::$transport,
                    broker: Broker::$broker,
                };

                rows! { @tests
                    every_pair_of_qos_delivers_at_the_lower: QosPairs,
                    a_retained_message_waits_for_later_subscribers: Retained,
                    a_will_is_published_when_the_connection_is_cut: Will,
                    a_session_brings_what_was_missed: PersistentSession,
                    members_of_a_group_share_every_message_once: SharedSubscription,
                    ten_megabytes_arrive_whole: LargePayload,
                    an_empty_payload_is_a_message: EmptyPayload,
                    topics_may_be_in_any_script: Utf8Topics,
                    a_hundred_topics_fit_into_one_subscribe: ManyFilters,
                    a_request_is_answered: RequestResponse,
                }
            }
        )*

        /// Each row with the name of its module and its tests.
        const ROWS: &[(&str, row::Row, &[(&str, scenario::Scenario)])] =
            &[$((stringify!($name), $name::ROW, $name::TESTS),)*];
    };
    (@tests $($test:ident: $scenario:ident,)*) => {
        $(
            #[test]
            fn $test() {
                ROW.play(Scenario::$scenario);
            }
        )*

        /// The tests with their scenarios.
        pub const TESTS: &[(&str, Scenario)] = &[$((stringify!($test), Scenario::$scenario),)*];
    };
}

rows! {
    mosquitto_tools_v31_tcp: MosquittoTools V31 Tcp Hearth,
    mosquitto_tools_v311_tcp: MosquittoTools V311 Tcp Hearth,
    mosquitto_tools_v5_tcp: MosquittoTools V5 Tcp Hearth,
    paho_v31_tcp: PahoMqtt V31 Tcp Hearth,
    paho_v31_websocket: PahoMqtt V31 WebSocket Hearth,
    paho_v311_tcp: PahoMqtt V311 Tcp Hearth,
    paho_v311_websocket: PahoMqtt V311 WebSocket Hearth,
    paho_v5_tcp: PahoMqtt V5 Tcp Hearth,
    paho_v5_websocket: PahoMqtt V5 WebSocket Hearth,
    mqtt_js_v31_tcp: MqttJs V31 Tcp Hearth,
    mqtt_js_v31_websocket: MqttJs V31 WebSocket Hearth,
    mqtt_js_v311_tcp: MqttJs V311 Tcp Hearth,
    mqtt_js_v311_websocket: MqttJs V311 WebSocket Hearth,
    mqtt_js_v5_tcp: MqttJs V5 Tcp Hearth,
    mqtt_js_v5_websocket: MqttJs V5 WebSocket Hearth,
    rumqttc_v311_tcp: Rumqttc V311 Tcp Hearth,
    rumqttc_v311_websocket: Rumqttc V311 WebSocket Hearth,
    rumqttc_v5_tcp: Rumqttc V5 Tcp Hearth,
    rumqttc_v5_websocket: Rumqttc V5 WebSocket Hearth,
    own_client_v31_tcp: Own V31 Tcp Hearth,
    own_client_v31_websocket: Own V31 WebSocket Hearth,
    own_client_v311_tcp: Own V311 Tcp Hearth,
    own_client_v311_websocket: Own V311 WebSocket Hearth,
    own_client_v5_tcp: Own V5 Tcp Hearth,
    own_client_v5_websocket: Own V5 WebSocket Hearth,
    own_client_at_mosquitto_v31_tcp: Own V31 Tcp Mosquitto,
    own_client_at_mosquitto_v31_websocket: Own V31 WebSocket Mosquitto,
    own_client_at_mosquitto_v311_tcp: Own V311 Tcp Mosquitto,
    own_client_at_mosquitto_v311_websocket: Own V311 WebSocket Mosquitto,
    own_client_at_mosquitto_v5_tcp: Own V5 Tcp Mosquitto,
    own_client_at_mosquitto_v5_websocket: Own V5 WebSocket Mosquitto,
}
