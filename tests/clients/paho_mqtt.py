"""paho-mqtt over WebSocket, told what to do by lines of JSON: python paho_mqtt.py URL VERSION"""

import json
import os
import sys
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


def say(event, **fields):
    # One write a line: the callbacks run in a thread of their own.
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def fail(why):
    sys.stderr.write(f"paho_mqtt: {why}\n")
    sys.stderr.flush()
    os._exit(1)


def on_connect(client, userdata, flags, reason, properties):
    if reason.is_failure:
        fail(f"refused: {reason}")
    say("connected")


def on_message(client, userdata, message):
    payload = message.payload.decode()
    say("message", topic=message.topic, payload=payload, qos=message.qos, retain=bool(message.retain))


def on_subscribe(client, userdata, mid, reasons, properties):
    say("subscribed", qos=reasons[0].value)


def on_publish(client, userdata, mid, reason, properties):
    say("published")


def on_disconnect(client, userdata, flags, reason, properties):
    if reason.is_failure:
        fail(f"disconnected: {reason}")


def main(url, version):
    protocol = MQTTProtocolVersion.MQTTv5 if version == "5" else MQTTProtocolVersion.MQTTv311
    client = mqtt.Client(CallbackAPIVersion.VERSION2, transport="websockets", protocol=protocol)
    client.on_connect, client.on_disconnect = on_connect, on_disconnect
    client.on_message, client.on_subscribe, client.on_publish = on_message, on_subscribe, on_publish
    at = urlsplit(url)
    client.ws_set_options(path=at.path)
    client.connect(at.hostname, at.port)
    client.loop_start()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "subscribe":
            client.subscribe(order["filter"], order["qos"])
        elif order["do"] == "publish":
            client.publish(order["topic"], order["payload"], order["qos"], order["retain"])
        else:
            fail(f"unknown order {line}")
    client.disconnect()
    client.loop_stop()


main(*sys.argv[1:])
