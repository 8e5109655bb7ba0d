//! MQTT over a unix socket.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::hearth::{Hearth, HearthCommand};
use crate::mosquitto::{Subscriber, V5, publish};
use crate::process::Process;

#[test]
fn mosquitto_pub_talks_over_a_unix_socket_to_subscribers_over_tcp() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("hearth.sock");
    let hearth = start(&path);
    assert_eq!(hearth.unix_socket(), path);
    let mut subscriber = Subscriber::start(hearth.mqtt(), V5, &["-t", "unix/#", "-q", "2"]);
    for qos in ["0", "1", "2"] {
        publish_over(&path, &["-V", "mqttv5", "-t", "unix/x", "-m", qos, "-q", qos]);
        subscriber.expect(qos.parse().unwrap(), false, &format!("unix/x {qos}"));
    }
}

#[test]
fn a_subscriber_over_a_unix_socket_hears_a_large_message_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("hearth.sock");
    let hearth = start(&path);
    let payload = folder.path().join("payload");
    std::fs::write(&payload, vec![b'x'; 5_000_000]).unwrap();
    publish(hearth.mqtt(), V5, &["-t", "big", "-f", payload.to_str().unwrap(), "-q", "1", "-r"]);
    let mut command = Command::new("mosquitto_sub");
    command.args(["--unix", path.to_str().unwrap(), "-t", "big", "-C", "1"]);
    let ended = Process::start("mosquitto_sub", &mut command).wait();
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout.len(), 5_000_001);
}

#[test]
fn the_file_has_the_permissions_of_the_setting_and_goes_when_the_broker_stops() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("hearth.sock");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let mut hearth = start(&path);
    assert_eq!(mode(), 0o660, "the default");
    assert_eq!(hearth.terminate().status.code(), Some(0));
    assert!(!path.exists(), "a stopped broker leaves no file");
    let _hearth = command(&path).env("HEARTH_UNIX_PERMISSIONS", "600").start();
    assert_eq!(mode(), 0o600);
}

#[test]
fn the_socket_of_a_broker_that_died_is_taken_over_and_that_of_a_live_one_is_not() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("hearth.sock");
    let mut hearth = start(&path);
    hearth.kill();
    assert!(path.exists(), "nobody was there to remove it");
    let _hearth = start(&path);
    publish_over(&path, &["-t", "a", "-m", "b", "-q", "1"]);
    let refused = command(&path).run();
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stderr.contains("another program listens there"), "{}", refused.stderr);
    publish_over(&path, &["-t", "a", "-m", "the first one still listens", "-q", "1"]);
}

fn command(path: &Path) -> HearthCommand {
    let unix = format!("unix:{}", path.display());
    HearthCommand::new()
        .args(["--mqtt", "127.0.0.1:0", "--mqtt", &unix])
        .args(["--http", "none", "--ws", "none", "--shards", "2"])
}

#[track_caller]
fn start(path: &Path) -> Hearth {
    command(path).start()
}

#[track_caller]
fn publish_over(path: &Path, arguments: &[&str]) {
    let mut command = Command::new("mosquitto_pub");
    command.args(["--unix", path.to_str().unwrap()]).args(arguments);
    let ended = Process::start("mosquitto_pub", &mut command).wait();
    assert!(ended.status.success(), "mosquitto_pub {arguments:?}: {}{}", ended.stdout, ended.stderr);
}
