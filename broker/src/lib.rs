//! An MQTT broker shard without I/O.
