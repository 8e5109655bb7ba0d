//! A database whose first page is broken, by which SQLite finds the tables, keeps all of its rows.

use std::ops::Range;

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::hostile_disk::End;
use super::hostile_way::{HOSTILE, LONG_LOG};
use super::salvage::{Mounted, PAGE, filled, interrupt_at_any_moment, written};
use crate::store::StoreError;

/// What may be broken, and where that is in the page.
const PLACES: [(&str, Range<usize>); 12] = [
    ("the mark of SQLite", 0..16),
    ("the length of a page", 16..18),
    ("the ways to write and read, and bytes that are spared", 18..24),
    ("the counts of changes and pages", 24..40),
    ("the count of pages", 28..32),
    ("the format of the schema, and the encoding of text", 44..60),
    ("the version, and how free pages go back", 60..68),
    ("the mark of Hearth", 68..72),
    ("the header", 0..100),
    ("the head of the schema", 100..108),
    ("the places of the schema's cells", 108..126),
    ("all of it", 0..PAGE),
];

/// Puts bytes into the first page.
fn overwrite(mounted: &Mounted, at: usize, bytes: &[u8]) {
    let file = mounted.database();
    let mut disk = mounted.disk.lock().unwrap();
    let mut before = vec![0; bytes.len()];
    disk.read(file, at, &mut before).unwrap();
    for (place, (before, after)) in before.iter().zip(bytes).enumerate() {
        (0..8).filter(|bit| (before ^ after) >> bit & 1 == 1).for_each(|bit| {
            disk.flip(file, (at + place) * 8 + bit);
        });
    }
}

fn first_page(mounted: &Mounted) -> Vec<u8> {
    let file = mounted.database();
    let mut page = vec![0; PAGE];
    mounted.disk.lock().unwrap().read(file, 0, &mut page).unwrap();
    page
}

/// Where the text of the schema says how a table is made.
fn statement_of(page: &[u8], table: &str) -> usize {
    let text = format!("CREATE TABLE {table} ");
    page.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

#[test]
fn whatever_is_broken_in_the_first_page_every_row_is_kept_and_counted() {
    let mut salvaged = 0;
    for (seed, (what, place)) in PLACES.into_iter().enumerate() {
        let (whole, content, _) = filled(seed as u64);
        let mut random = SmallRng::seed_from_u64(seed as u64);
        for bytes in
            [vec![0; place.len()], vec![0xFF; place.len()], place.clone().map(|_| random.random()).collect()]
        {
            let mounted = whole.copy();
            overwrite(&mounted, place.start, &bytes);
            let opened = mounted.open().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(opened.content.len(), content.len(), "{what}: {:?}", opened.salvage);
            assert!(opened.content == content, "{what}");
            assert_eq!(opened.reading.damaged, 0, "{what}");
            if let Some(salvage) = &opened.salvage {
                salvaged += 1;
                assert_eq!(salvage.saved, content.len(), "{what}");
                assert!(salvage.set_aside.is_some(), "{what}");
            }
            drop(opened);
            let again = mounted.open().unwrap();
            assert!(again.content == content && again.salvage.is_none(), "{what}: again");
            let disk = mounted.disk.lock().unwrap();
            assert_eq!(disk.name_with(".led").or(disk.name_with(".salvag")), None, "{what}");
        }
    }
    assert!(salvaged > PLACES.len() * 2, "{salvaged} were salvaged");
}

#[test]
fn a_count_of_pages_that_is_too_small_costs_no_row() {
    let (whole, content, _) = filled(2);
    for pages in [1, 2, 8, 12, 20] {
        let mounted = whole.copy();
        overwrite(&mounted, 28, &u32::to_be_bytes(pages));
        let opened = mounted.open().unwrap();
        assert!(opened.content == content, "{pages}: {} of {}", opened.content.len(), content.len());
    }
}

#[test]
fn a_schema_that_leads_elsewhere_is_not_followed_alone() {
    let (whole, content, _) = filled(3);
    let page = first_page(&whole);
    for table in ["session", "message", "retained"] {
        let at = statement_of(&page, table);
        // In front of the text is where the table begins; in the text is its name.
        for (at, byte) in [(at - 1, page[at - 1] ^ 1), (at - 1, 0), (at - 1, 200), (at + 13, b'X'), (at, 0)] {
            let mounted = whole.copy();
            overwrite(&mounted, at, &[byte]);
            let opened = mounted.open().unwrap();
            assert!(opened.content == content, "{table}: {} of {}", opened.content.len(), content.len());
            assert_eq!(opened.salvage.unwrap().saved, content.len(), "{table}");
        }
    }
}

#[test]
fn what_is_in_the_log_counts_where_the_first_page_of_the_file_is_broken() {
    for seed in 0..8 {
        let way = if seed % 2 == 0 { LONG_LOG } else { HOSTILE };
        let (mounted, states, _, database) = written(seed, way);
        let content = states.last().unwrap();
        mounted.disk.lock().unwrap().is_dead = true;
        drop(database);
        mounted.disk.lock().unwrap().end(End::Kill);
        overwrite(&mounted, 0, &[0; PAGE]);
        let opened = mounted.open().unwrap();
        assert!(opened.content == *content, "seed {seed}: {} of {}", opened.content.len(), content.len());
    }
}

#[test]
fn a_crash_while_the_rows_behind_a_broken_first_page_are_saved_costs_none() {
    let (mounted, content, _) = filled(5);
    overwrite(&mounted, 0, &[0; PAGE]);
    interrupt_at_any_moment(&mounted, &content);
}

#[test]
fn a_newer_version_stays_refused() {
    let (mounted, _, _) = filled(1);
    overwrite(&mounted, 60, &4_u32.to_be_bytes());
    let error = mounted.open().unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 4, .. }), "{error}");
    assert_eq!(mounted.disk.lock().unwrap().name_with(".salvag"), None);
}
