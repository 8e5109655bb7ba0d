//! The history on a disk that fails for a while: nobody waits for it, it says so, and it goes on with what it has.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hearth_broker::Tap;

use super::archive::{Archive, Bounds, samples};
use super::intake::Intake;
use super::recorder::Recorder;
use super::values::Values;
use super::writer::{Counters, HistoryCounts, Writer};
use crate::config::HistoryConfig;
use crate::store::tests::hostile_disk::{Faults, HostileDisk};
use crate::store::tests::hostile_way::LONG_LOG;
use crate::store::tests::vfs;

/// How often the thread is looked at: it has a second of its own, and there is no other way to see what it does.
const LOOKS_MAX: u32 = 1200;

const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Waits until the counters say so.
async fn until(counts: impl Fn() -> HistoryCounts, is_so: impl Fn(&HistoryCounts) -> bool) {
    for _ in 0..LOOKS_MAX {
        if is_so(&counts()) {
            return;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    panic!("{:?}", counts());
}

#[tokio::test]
async fn while_the_disk_fails_shards_go_on_and_what_there_was_room_for_is_written_later() {
    let name = "history-failing";
    let disk = vfs::mount(name, HostileDisk::new(1));
    let file = format!("/{name}/history.db");
    let bounds = Bounds { days_max: 10, bytes_max: 1 << 30, series_max: 10 };
    let archive = Archive::open_by(LONG_LOG, Path::new(&file), bounds).unwrap();
    let (intake, counters) = (Arc::new(Intake::new(1)), Arc::<Counters>::default());
    let writer = Writer::start(archive, Values::new(8), Arc::clone(&intake), Arc::clone(&counters)).unwrap();
    let mut recorder = Recorder::new(0, Arc::clone(&intake), Arc::new(HistoryConfig::default()));
    let mut turn = |messages: u32| {
        (0..messages).for_each(|number| recorder.on_message("home/t", number.to_string().as_bytes()));
        recorder.on_turn_end();
    };
    let counts = || counters.read(&intake);
    turn(3);
    until(counts, |counts| counts.values == 3).await;
    for faults in [
        Faults { write: 1, ..Faults::default() },
        Faults { is_full: true, ..Faults::default() },
        Faults { read: 1, write: 1, sync: 1, is_full: true },
    ] {
        let before = counts();
        disk.lock().unwrap().faults = faults;
        turn(2);
        until(counts, |counts| counts.is_failing).await;
        // A turn ends as ever, whatever becomes of the values.
        (0..100).for_each(|_| turn(5));
        disk.lock().unwrap().faults = Faults::default();
        turn(1);
        until(counts, |counts| !counts.is_failing && counts.values == before.values + 503).await;
        assert!(counts().failures > before.failures);
    }
    writer.stop().await;
    assert_eq!(counts().dropped, 0);
    let connection = vfs::connect(Path::new(&file)).unwrap();
    let mut statement = connection.prepare("SELECT id, points FROM journal").unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut kept = 0;
    while let Some(row) = rows.next().unwrap() {
        kept += samples(row.get(0).unwrap(), row.get_ref(1).unwrap().as_blob().unwrap()).count();
    }
    assert_eq!(kept, 3 + 3 * 503, "all of them, each once");
    vfs::unmount(name);
}
