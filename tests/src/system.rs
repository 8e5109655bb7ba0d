//! The whole system through its sockets: real devices' tools, independent clients and a real browser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    missing_docs,
    reason = "all of this crate is a test: a panic is how it reports"
)]

mod accessibility;
mod authentication;
mod backup;
mod broken_rules;
mod broker_tcp;
mod browser;
mod carrier;
mod conformance;
mod crash;
mod delivery;
mod device;
mod door;
mod durability;
mod hearth;
mod history;
mod http;
mod independent;
mod interop;
mod limits;
mod lost_connections;
mod malformed;
mod metrics;
mod mosquitto;
mod one_port;
mod overload;
mod package;
mod process;
mod proxy_protocol;
mod renderer_cpu;
mod reverse_proxy;
mod security;
mod settings;
mod subscriptions;
mod system_topics;
mod tree;
#[cfg(unix)]
mod unix_socket;
mod users;
mod web_accessibility;
mod web_address;
mod web_app;
mod web_benchmark;
mod web_chart;
mod web_chart_begin;
mod web_chart_reading;
mod web_command_lines;
mod web_connections;
mod web_explorer;
mod web_large;
mod web_layout;
mod web_page;
mod web_palette;
mod web_payload;
mod web_publish;
mod web_reconnected;
mod web_remote_tree;
mod web_retained;
mod web_shared_filter;
mod web_sparkplug;
mod web_subscribe;
mod web_topic;
mod web_touch;
mod web_tree;
mod websocket;
mod wire;
