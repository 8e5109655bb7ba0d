//! The interoperability table: the same scenarios through every client, version and transport.

pub mod client;
pub mod message;
mod mosquitto_tools;
mod row;
mod scenario;

/// A row's tests, one a scenario.
macro_rules! row {
    ($name:ident: $program:ident $version:ident $transport:ident) => {
        mod $name {
            use crate::interop::row::{Program, Row, Transport};
            use crate::interop::scenario::Scenario;

            const ROW: Row = Row {
                program: Program::$program,
                version: hearth_protocol::Version::$version,
                transport: Transport::$transport,
            };

            row! { @tests
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
    };
    (@tests $($test:ident: $scenario:ident,)*) => {
        $(
            #[test]
            fn $test() {
                ROW.play(Scenario::$scenario);
            }
        )*
    };
}

row! { mosquitto_tools_v31_tcp: MosquittoTools V31 Tcp }
row! { mosquitto_tools_v311_tcp: MosquittoTools V311 Tcp }
row! { mosquitto_tools_v5_tcp: MosquittoTools V5 Tcp }
row! { paho_v31_tcp: PahoMqtt V31 Tcp }
row! { paho_v311_tcp: PahoMqtt V311 Tcp }
row! { paho_v5_tcp: PahoMqtt V5 Tcp }
row! { paho_v311_websocket: PahoMqtt V311 WebSocket }
row! { paho_v5_websocket: PahoMqtt V5 WebSocket }
row! { mqtt_js_v31_tcp: MqttJs V31 Tcp }
row! { mqtt_js_v311_tcp: MqttJs V311 Tcp }
row! { mqtt_js_v5_tcp: MqttJs V5 Tcp }
row! { mqtt_js_v311_websocket: MqttJs V311 WebSocket }
row! { mqtt_js_v5_websocket: MqttJs V5 WebSocket }
