"""paho-mqtt, told what to do by lines of JSON; one process holds many clients.

What the lines mean stands in tests/src/independent.rs.
"""

import hashlib
import json
import os
import socket
import sys
import threading
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

TEXT_BYTES_MAX = 4096
VERSIONS = {
    "3.1": MQTTProtocolVersion.MQTTv31,
    "3.1.1": MQTTProtocolVersion.MQTTv311,
    "5": MQTTProtocolVersion.MQTTv5,
}
# Each client's callbacks run in a thread of its own.
OUTPUT = threading.Lock()


def say(client, event, **fields):
    with OUTPUT:
        sys.stdout.write(json.dumps({"client": client, "event": event, **fields}) + "\n")
        sys.stdout.flush()


def to_bytes(payload):
    if "text" in payload:
        return payload["text"].encode()
    unit = bytes(range(payload["cycle"]))
    return (unit * (payload["bytes"] // len(unit) + 1))[: payload["bytes"]]


def from_bytes(payload):
    if len(payload) <= TEXT_BYTES_MAX:
        return {"text": payload.decode()}
    return {"bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}


def to_properties(given):
    properties = Properties(PacketTypes.PUBLISH)
    if given["response_topic"] is not None:
        properties.ResponseTopic = given["response_topic"]
    if given["correlation"] is not None:
        properties.CorrelationData = given["correlation"].encode()
    if given["content_type"] is not None:
        properties.ContentType = given["content_type"]
    for name, value in given["user"]:
        properties.UserProperty = (name, value)
    return properties


def from_properties(properties):
    correlation = getattr(properties, "CorrelationData", None)
    return {
        "response_topic": getattr(properties, "ResponseTopic", None),
        "correlation": None if correlation is None else correlation.decode(),
        "content_type": getattr(properties, "ContentType", None),
        "user": getattr(properties, "UserProperty", []),
    }


class Client:
    def __init__(self, name, url, version, id, clean, expiry, will):
        self.name = name
        self.is_leaving = False
        self.is_new = version == "5"
        at = urlsplit(url)
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=id,
            clean_session=None if self.is_new else clean,
            protocol=VERSIONS[version],
            transport="websockets" if at.scheme == "ws" else "tcp",
            reconnect_on_failure=False,
        )
        if at.scheme == "ws":
            self.client.ws_set_options(path=at.path)
        if will is not None:
            self.client.will_set(will["topic"], to_bytes(will["payload"]), will["qos"], will["retain"])
        self.client.on_connect, self.client.on_disconnect = self.on_connect, self.on_disconnect
        self.client.on_message, self.client.on_publish = self.on_message, self.on_publish
        self.client.on_subscribe = self.on_subscribe
        more = {}
        if self.is_new:
            more["clean_start"] = clean
            more["properties"] = Properties(PacketTypes.CONNECT)
            more["properties"].SessionExpiryInterval = expiry
        self.client.connect(at.hostname, at.port, **more)
        self.client.loop_start()

    def subscribe(self, filters):
        if self.is_new:
            filters = [(filter, SubscribeOptions(qos=qos)) for filter, qos in filters]
        else:
            filters = [(filter, qos) for filter, qos in filters]
        self.client.subscribe(filters)

    def publish(self, topic, payload, qos, retain, properties):
        properties = to_properties(properties) if self.is_new else None
        self.client.publish(topic, to_bytes(payload), qos, retain, properties)

    def disconnect(self):
        self.is_leaving = True
        self.client.disconnect()
        self.client.loop_stop()
        say(self.name, "disconnected")

    def cut(self):
        self.is_leaving = True
        # A socket of the same connection, because the one within may be wrapped.
        connection = socket.socket(fileno=os.dup(self.client.socket().fileno()))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        self.client.loop_stop()
        say(self.name, "cut")

    def on_connect(self, client, userdata, flags, reason, properties):
        if reason.is_failure:
            say(self.name, "failed", why=f"refused: {reason}")
        else:
            say(self.name, "connected", session=flags.session_present)

    def on_message(self, client, userdata, message):
        say(
            self.name,
            "message",
            topic=message.topic,
            payload=from_bytes(message.payload),
            qos=message.qos,
            retain=bool(message.retain),
            properties=from_properties(message.properties),
        )

    def on_subscribe(self, client, userdata, mid, reasons, properties):
        say(self.name, "subscribed", reasons=[reason.value for reason in reasons])

    def on_publish(self, client, userdata, mid, reason, properties):
        if reason.is_failure:
            say(self.name, "failed", why=f"publish: {reason}")
        else:
            say(self.name, "published")

    def on_disconnect(self, client, userdata, flags, reason, properties):
        if not self.is_leaving:
            say(self.name, "failed", why=f"the connection ended: {reason}")


def main():
    clients = {}
    for line in sys.stdin:
        order = json.loads(line)
        name, what = order.pop("client"), order.pop("do")
        try:
            if what == "connect":
                clients[name] = Client(name, **order)
            elif what == "subscribe":
                clients[name].subscribe(**order)
            elif what == "publish":
                clients[name].publish(**order)
            elif what in ("disconnect", "cut"):
                getattr(clients.pop(name), what)()
            else:
                raise ValueError(f"unknown order {what}")
        except Exception as error:
            say(name, "failed", why=f"{what}: {error!r}")
    # The loops of clients that are still there do not end by themselves.
    os._exit(0)


main()
