//! The file of the history, written and read.

use std::path::PathBuf;

use futures_util::TryStreamExt;
use tempfile::TempDir;

use super::archive::{JOURNAL_POINTS_MAX, Sample};
use super::block::Point;
use super::*;
use crate::store::{DataFolder, Durability, restore};

const DAY_MILLIS: i64 = 86_400_000;

const NOW: i64 = 1_769_860_800_000;

const BOUNDS: Bounds = Bounds { days_max: 10, bytes_max: 1 << 30, series_max: 100 };

struct Files {
    _folder: TempDir,
    file: PathBuf,
}

fn files() -> Files {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    Files { _folder: folder, file }
}

fn samples(archive: &mut Archive, topic: &str, points: impl IntoIterator<Item = (i64, f64)>) -> Vec<Sample> {
    let series = archive.series(topic, "").unwrap();
    points.into_iter().map(|(time, value)| Sample { series, point: Point { time, value } }).collect()
}

fn read(files: &Files, topic: &str, from: i64, to: i64) -> Vec<(i64, f64)> {
    let reader = Reader::new(&files.file);
    let Some(selection) = reader.select(topic, "", from, to).unwrap() else { return Vec::new() };
    let mut points = Vec::new();
    reader.each(&selection, |point| points.push((point.time, point.value))).unwrap();
    points
}

#[test]
fn points_are_there_from_the_journal_from_blocks_and_from_both() {
    let files = files();
    let mut archive = Archive::open(&files.file, BOUNDS).unwrap();
    let point = |second: i64| (NOW + second * 1000, second as f64 / 10.0);
    for begin in [0, 300, 600, 900] {
        for topic in ["a", "b"] {
            let some = samples(&mut archive, topic, (begin..begin + 300).map(point));
            archive.commit(&some).unwrap();
        }
        let expected: Vec<_> = (0..begin + 300).map(point).collect();
        assert_eq!(read(&files, "a", 0, i64::MAX), expected, "journal");
        if begin != 900 {
            archive.settle(NOW).unwrap();
            assert_eq!(read(&files, "b", 0, i64::MAX), expected, "blocks");
        }
    }
    let part: Vec<_> = (250..=1000).map(point).collect();
    assert_eq!(read(&files, "b", point(250).0, point(1000).0), part);
    assert_eq!(read(&files, "b", 0, NOW - 1), []);
    assert_eq!(read(&files, "c", 0, i64::MAX), []);
    drop(archive);
    let mut archive = Archive::open(&files.file, BOUNDS).unwrap();
    archive.settle(NOW).unwrap();
    let all: Vec<_> = (0..1200).map(point).collect();
    assert_eq!(read(&files, "a", 0, i64::MAX), all, "another process goes on where one ended");
    let summaries = Reader::new(&files.file).series(0).unwrap();
    assert_eq!(summaries.len(), 2);
    assert_eq!((summaries[1].topic.as_str(), summaries[1].count), ("b", 1200));
    assert_eq!((summaries[1].first, summaries[1].last), (NOW, point(1199).0));
}

#[test]
fn a_clock_that_is_set_back_loses_nothing() {
    let files = files();
    let mut archive = Archive::open(&files.file, BOUNDS).unwrap();
    let times = [0, 5, 3 * DAY_MILLIS, 7, 1, 2 * DAY_MILLIS];
    for time in times {
        let some = samples(&mut archive, "a", [(NOW + time, time as f64)]);
        archive.commit(&some).unwrap();
        archive.settle(NOW).unwrap();
    }
    let got: Vec<i64> = read(&files, "a", 0, i64::MAX).iter().map(|(time, _)| time - NOW).collect();
    assert_eq!(got, times);
    assert_eq!(read(&files, "a", NOW + 1, NOW + 7).len(), 3);
}

#[test]
fn what_a_reader_has_chosen_does_not_change_under_its_hands() {
    let files = files();
    let mut archive = Archive::open(&files.file, BOUNDS).unwrap();
    let point = |second: i64| (NOW + second, second as f64);
    let some = samples(&mut archive, "a", (0..400).map(point));
    archive.commit(&some).unwrap();
    archive.settle(NOW).unwrap();
    let some = samples(&mut archive, "a", (400..500).map(point));
    archive.commit(&some).unwrap();
    let reader = Reader::new(&files.file);
    let selection = reader.select("a", "", 0, i64::MAX).unwrap().unwrap();
    let some = samples(&mut archive, "a", (500..900).map(point));
    archive.commit(&some).unwrap();
    archive.settle(NOW).unwrap();
    let mut times = Vec::new();
    reader.each(&selection, |point| times.push(point.time - NOW)).unwrap();
    assert!(times.into_iter().eq(0..500));
}

#[test]
fn what_is_too_old_goes_and_its_series_make_room() {
    let files = files();
    let mut archive = Archive::open(&files.file, Bounds { series_max: 2, ..BOUNDS }).unwrap();
    let old = samples(&mut archive, "old", [(NOW - 12 * DAY_MILLIS, 1.0)]);
    let hours = (0..20 * 24).map(|hour| (NOW - hour * 3_600_000, 2.0));
    let both = samples(&mut archive, "both", hours.rev());
    assert_eq!(archive.series("new", ""), None, "there is no room");
    archive.commit(&[old, both].concat()).unwrap();
    archive.settle(NOW).unwrap();
    assert_eq!(read(&files, "old", 0, i64::MAX), []);
    let left = read(&files, "both", 0, i64::MAX);
    assert!((10 * 24..=12 * 24).contains(&left.len()), "to the day: {}", left.len());
    assert!(left.iter().all(|(time, _)| *time >= NOW - 12 * DAY_MILLIS));
    assert_eq!(archive.series_count(), 1);
    let new = samples(&mut archive, "new", [(NOW, 3.0)]);
    archive.commit(&new).unwrap();
    assert_eq!(read(&files, "new", 0, NOW), [(NOW, 3.0)]);
}

#[test]
fn a_file_that_is_too_large_loses_its_oldest_points_and_the_disk_gets_the_room() {
    let files = files();
    let many = |archive: &mut Archive, begin: i64, count: i64| {
        // Values that no two are alike, so that they take room.
        let points = (begin..begin + count).map(|index| (NOW + index * 1000, (index as f64).sin()));
        let some = samples(archive, if begin % 2 == 0 { "a" } else { "b" }, points);
        archive.commit(&some).unwrap();
        archive.settle(NOW).unwrap();
    };
    let mut archive = Archive::open(&files.file, BOUNDS).unwrap();
    for part in 0..8 {
        many(&mut archive, part * 130_001, 130_000);
    }
    archive.checkpoint().unwrap();
    let full = std::fs::metadata(&files.file).unwrap().len();
    drop(archive);
    let bytes_max = full / 4;
    let mut archive = Archive::open(&files.file, Bounds { bytes_max, ..BOUNDS }).unwrap();
    many(&mut archive, 8 * 130_001, 100);
    archive.checkpoint().unwrap();
    assert!(archive.bytes().unwrap() <= bytes_max);
    let len = std::fs::metadata(&files.file).unwrap().len();
    assert!(len <= bytes_max + 5 * 1024 * 1024, "{len} of {full}");
    let left = [read(&files, "a", 0, i64::MAX), read(&files, "b", 0, i64::MAX)].concat();
    assert!(left.len() > 100_000, "not more than needed: {}", left.len());
    let oldest = left.iter().map(|(time, _)| *time).min().unwrap();
    let newest = NOW + (8 * 130_001 + 99) * 1000;
    assert!(left.contains(&(newest, (8.0 * 130_001.0 + 99.0_f64).sin())));
    let kept_seconds = (newest - oldest) / 1000;
    assert!(left.len() as i64 > kept_seconds * 9 / 10, "no holes: {} in {kept_seconds} s", left.len());
}

#[test]
fn a_block_or_a_journal_row_that_has_decayed_is_left_out() {
    let files = files();
    let mut archive = Archive::open(&files.file, BOUNDS).unwrap();
    let some = samples(&mut archive, "a", (0..600).map(|second| (NOW + second, 1.0)));
    archive.commit(&some).unwrap();
    archive.settle(NOW).unwrap();
    let some = samples(&mut archive, "a", [(NOW + 600, 1.0)]);
    archive.commit(&some).unwrap();
    let other = rusqlite::Connection::open(&files.file).unwrap();
    let damage = "UPDATE block SET points = zeroblob(length(points)) WHERE id IN (SELECT max(id) FROM block)";
    assert_eq!(other.execute(damage, []).unwrap(), 1);
    assert_eq!(read(&files, "a", 0, i64::MAX).len(), 512 + 1);
    archive.settle(NOW).unwrap();
    assert_eq!(read(&files, "a", 0, i64::MAX).len(), 512 + 1, "and is not written over");
    let some = samples(&mut archive, "a", [(NOW + 601, 1.0)]);
    archive.commit(&some).unwrap();
    assert_eq!(other.execute("UPDATE journal SET points = x'00'", []).unwrap(), 1);
    assert_eq!(read(&files, "a", 0, i64::MAX).len(), 512 + 1);
}

#[tokio::test]
async fn a_broken_file_is_set_aside_and_one_of_another_program_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::write(&file, "these are my notes, not a database, and long enough to be looked at").unwrap();
    let (history, writer) = History::start(folder.path(), &HistoryConfig::default(), 1).unwrap();
    assert!(!history.counts().is_failing);
    writer.stop().await;
    let names =
        std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("history.db.damaged-")).count(), 1);
    let folder = tempfile::tempdir().unwrap();
    let other = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    other.execute_batch("CREATE TABLE bookmark (address)").unwrap();
    let error = History::start(folder.path(), &HistoryConfig::default(), 1).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
}

#[test]
fn the_history_is_not_taken_for_a_backup_nor_the_store_for_the_history() {
    let files = files();
    drop(Archive::open(&files.file, BOUNDS).unwrap());
    let other = tempfile::tempdir().unwrap();
    let data = DataFolder::new(&other.path().join("data"));
    let error = restore(&data, &files.file, true).unwrap_err().to_string();
    let says = "history.db is Hearth's history of topics (history.db) and no backup; copy it to its place";
    assert!(error.contains(says), "{error}");
    assert!(!data.database().parent().unwrap().exists(), "nothing was touched");
    drop(data.open(Durability::Os).unwrap());
    let error = Archive::open(&data.database(), BOUNDS).unwrap_err().to_string();
    assert!(error.contains("hearth.db is Hearth's database of sessions and messages"), "{error}");
    std::fs::copy(&files.file, data.database()).unwrap();
    let error = data.open(Durability::Os).unwrap_err().to_string();
    assert!(error.contains("history.db); move it away, or choose another folder with --data"), "{error}");
}

#[tokio::test]
async fn what_a_shard_notes_down_can_be_asked_for_and_exported() {
    use hearth_broker::Tap;
    let folder = tempfile::tempdir().unwrap();
    let config = HistoryConfig { series_max: 2, ..HistoryConfig::default() };
    let (history, writer) = History::start(folder.path(), &config, 2).unwrap();
    for (shard, topic, payload) in
        [(0, "a", "21.5"), (0, "a", "x"), (1, "b", r#"{"t":1,"u":2}"#), (0, "a", "22"), (0, "$SYS/x", "1")]
    {
        let mut recorder = history.recorder(shard);
        recorder.on_message(topic, payload.as_bytes());
        recorder.on_turn_end();
    }
    writer.stop().await;
    let counts = history.counts();
    assert_eq!((counts.values, counts.series, counts.without_series, counts.dropped), (3, 2, 1, 0));
    assert!(counts.bytes > 0);
    let selection = history.ask(|reader| reader.select("a", "", 0, i64::MAX)).await.unwrap().unwrap();
    let parts: Vec<_> = history.clone().export(selection).try_collect().await.unwrap();
    let text = String::from_utf8(parts.concat()).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!((lines.len(), lines[0]), (3, "time,value"));
    let (time, value) = lines[1].split_once(',').unwrap();
    assert_eq!(value, "21.5");
    assert!((timestamp::now() - timestamp::parse(time).unwrap()).abs() < 60_000);
    assert_eq!(history.ask(|reader| reader.fields("b")).await.unwrap(), ["/t"]);
}

/// Fills a file with ten million points and answers for a day of one series. It says how long that takes and judges nothing:
/// docs/history.md has the command and what it said.
#[test]
#[ignore = "a measurement: cargo test --profile quick -p hearth --lib ten_million -- --ignored --nocapture"]
fn ten_million_points_are_stored_and_a_day_is_answered() {
    const SERIES: i64 = 50;
    const SECONDS: i64 = 200_000;
    let files = files();
    let mut archive = Archive::open(&files.file, Bounds { days_max: 36_500, ..BOUNDS }).unwrap();
    let names: Vec<u32> = (0..SERIES)
        .map(|number| archive.series(&format!("home/room{number}/temperature"), "/t").unwrap())
        .collect();
    let filling = std::time::Instant::now();
    for second in 0..SECONDS {
        let value = |number: i64| {
            let wave = ((second + number * 977) as f64 / 7_000.0).sin() * 5.0 + 20.0;
            (wave * 100.0 + ((second * 31 + number * 17) % 13) as f64).round() / 100.0
        };
        let at = |number: i64| Point {
            time: NOW + second * 1000 + (second * 7 + number) % 9,
            value: value(number),
        };
        let some: Vec<Sample> =
            (0..SERIES).map(|number| Sample { series: names[number as usize], point: at(number) }).collect();
        archive.commit(&some).unwrap();
        if archive.is_full() {
            archive.settle(NOW).unwrap();
        }
        if archive.is_log_long() {
            archive.checkpoint().unwrap();
        }
    }
    let points = SERIES * SECONDS;
    eprintln!("{points} points, a commit for each {SERIES}, in {:.1} s", filling.elapsed().as_secs_f64());
    archive.checkpoint().unwrap();
    let bytes = std::fs::metadata(&files.file).unwrap().len();
    eprintln!(
        "{bytes} bytes, {:.2} a point, with a journal of up to {JOURNAL_POINTS_MAX} points",
        bytes as f64 / points as f64
    );
    let reader = Reader::new(&files.file);
    let mut times: Vec<f64> = (0..51)
        .map(|round| {
            let asked = std::time::Instant::now();
            let from = NOW + 50_000_000 + round * 100_000;
            let topic = format!("home/room{}/temperature", round % SERIES);
            let to = from + DAY_MILLIS - 1;
            let selection = reader.select(&topic, "/t", from, to).unwrap().unwrap();
            let mut few = M4::new(from, to, 1000);
            reader.each(&selection, |point| few.add(point)).unwrap();
            assert!((86_390..=86_410).contains(&few.count()), "{}", few.count());
            let points = few.finish();
            assert!((900..=1000).contains(&points.len()), "{}", points.len());
            asked.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    eprintln!("the first day of one series as 1,000 points: {:.1} ms", times[0]);
    times.sort_by(f64::total_cmp);
    eprintln!("51 days: median {:.1} ms, longest {:.1} ms", times[25], times[50]);
    let asked = std::time::Instant::now();
    assert_eq!(reader.series(0).unwrap().len(), SERIES as usize);
    eprintln!("the list of all series: {:.1} ms", asked.elapsed().as_secs_f64() * 1000.0);
}
