//! A disk in memory that does everything a disk is allowed to do to a program, under a seed.
//!
//! What is written is in the cache of the system, where every reader sees it. On the platter it is after a sync. A sync
//! that fails may leave sectors off the platter and call them clean, so that the next one succeeds without them; the
//! cache may forget such a sector at any time. When the power goes, each sector that was not synced is as it was after
//! any of its writes, or before all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rand::{Rng, SeedableRng, rngs::SmallRng};

/// A file, whatever it is called now.
pub(crate) type FileId = usize;

/// What is being done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Look,
    Read,
    Write,
    Sync,
}

/// Why it was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk does not do it.
    Broken,
    /// There is no room.
    Full,
}

/// How often each fails: one time in so many; 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) read: u32,
    pub(crate) write: u32,
    pub(crate) sync: u32,
    /// Nothing becomes longer.
    pub(crate) is_full: bool,
}

/// What ends everything that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Of all processes: the system goes on with its cache.
    Kill,
    /// Of one process, while another one goes on.
    KillOfOne,
    /// Of the system.
    PowerCut,
}

/// The disk, and the system before it.
#[derive(Clone, Debug)]
pub(crate) struct HostileDisk {
    random: SmallRng,
    sector: usize,
    pub(crate) files: Vec<Inode>,
    names: HashMap<String, FileId>,
    names_on_platter: HashMap<String, FileId>,
    /// Files that were given another name since names were synced: from, to. Each is done or not done, one after the other.
    renamed: Vec<(String, String)>,
    pub(crate) faults: Faults,
    /// So many actions from now everything ends.
    pub(crate) actions_left: Option<u32>,
    pub(crate) is_dead: bool,
}

/// A file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inode {
    cache: Vec<u8>,
    platter: Vec<u8>,
    /// By sector, what each write since the last sync left there.
    dirty: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Lengths since the last sync.
    lengths: Vec<usize>,
    /// Sectors that are called clean and are not on the platter.
    lost: BTreeSet<usize>,
    /// Locks of the database by handle, as levels of SQLite.
    pub(crate) locks: HashMap<usize, i32>,
    /// What its users share in memory, in regions.
    pub(crate) shared: Vec<Arc<[AtomicU64]>>,
    /// By handle, the locks on that: slots that are shared, and slots that are its own.
    pub(crate) shared_locks: HashMap<usize, (u32, u32)>,
}

impl HostileDisk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let sector = if random.random() { 512 } else { 4096 };
        Self {
            random,
            sector,
            files: Vec::new(),
            names: HashMap::new(),
            names_on_platter: HashMap::new(),
            renamed: Vec::new(),
            faults: Faults::default(),
            actions_left: None,
            is_dead: false,
        }
    }

    /// Counts an action, which may be the last, or fail.
    pub(crate) fn act(&mut self, action: Action) -> Result<(), Fault> {
        match &mut self.actions_left {
            Some(0) => self.is_dead = true,
            Some(left) => *left -= 1,
            None => {}
        }
        let one_in = match action {
            Action::Look => 0,
            Action::Read => self.faults.read,
            Action::Write => self.faults.write,
            Action::Sync => self.faults.sync,
        };
        if self.is_dead || one_in > 0 && self.random.random_ratio(1, one_in) {
            return Err(Fault::Broken);
        }
        Ok(())
    }

    /// The same disk with its files in another folder.
    pub(crate) fn moved(&self, from: &str, to: &str) -> Self {
        let rename = |names: &HashMap<String, FileId>| {
            names.iter().map(|(name, file)| (name.replacen(from, to, 1), *file)).collect()
        };
        Self { names: rename(&self.names), names_on_platter: rename(&self.names_on_platter), ..self.clone() }
    }

    pub(crate) fn find(&self, name: &str) -> Option<FileId> {
        self.names.get(name).copied()
    }

    /// The name of a file that has this in it.
    pub(crate) fn name_with(&self, part: &str) -> Option<&str> {
        self.names.keys().find(|name| name.contains(part)).map(String::as_str)
    }

    pub(crate) fn create(&mut self, name: Option<&str>) -> FileId {
        let file = self.files.len();
        self.files.push(Inode::default());
        if let Some(name) = name {
            self.names.insert(name.to_owned(), file);
        }
        file
    }

    pub(crate) fn remove(&mut self, name: &str, is_synced: bool) -> bool {
        let removed = self.names.remove(name);
        if is_synced {
            self.put_names_on_platter();
        }
        removed.is_some()
    }

    /// Gives a file another name; whether it was there.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<bool, Fault> {
        self.act(Action::Write)?;
        let Some(file) = self.names.remove(from) else { return Ok(false) };
        self.names.insert(to.to_owned(), file);
        self.renamed.push((from.to_owned(), to.to_owned()));
        Ok(true)
    }

    fn put_names_on_platter(&mut self) {
        self.names_on_platter = self.names.clone();
        self.renamed.clear();
    }

    /// A bit of a file is another one from now on.
    pub(crate) fn flip(&mut self, file: FileId, bit: usize) {
        let inode = &mut self.files[file];
        for bytes in [&mut inode.cache, &mut inode.platter] {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    pub(crate) fn len(&self, file: FileId) -> usize {
        self.files[file].cache.len()
    }

    /// Bytes from there on; fewer at the end of the file.
    pub(crate) fn read(&mut self, file: FileId, offset: usize, into: &mut [u8]) -> Result<usize, Fault> {
        self.act(Action::Read)?;
        self.forget(file);
        let cache = &self.files[file].cache;
        let begin = offset.min(cache.len());
        let end = (offset + into.len()).min(cache.len());
        into[..end - begin].copy_from_slice(&cache[begin..end]);
        Ok(end - begin)
    }

    /// All or, when it fails, some of the sectors at the beginning.
    pub(crate) fn write(&mut self, file: FileId, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        if self.faults.is_full && offset + bytes.len() > self.len(file) {
            return Err(self.act(Action::Look).err().unwrap_or(Fault::Full));
        }
        let acted = self.act(Action::Write);
        let len = match acted {
            Ok(()) => bytes.len(),
            Err(_) if self.is_dead => 0,
            Err(_) => self.random.random_range(0..=bytes.len() / self.sector) * self.sector,
        };
        if len > 0 {
            self.files[file].write(offset, &bytes[..len], self.sector);
        }
        acted
    }

    pub(crate) fn truncate(&mut self, file: FileId, len: usize) -> Result<(), Fault> {
        self.act(Action::Write)?;
        self.files[file].truncate(len, self.sector);
        Ok(())
    }

    /// Where the folder is synced too, so are all names.
    pub(crate) fn sync(&mut self, file: FileId, is_with_folder: bool) -> Result<(), Fault> {
        let acted = self.act(Action::Sync);
        if self.is_dead {
            return acted;
        }
        let (sector, random) = (self.sector, &mut self.random);
        let inode = &mut self.files[file];
        let is_len_synced = acted.is_ok() || random.random();
        if is_len_synced {
            let len = inode.cache.len();
            inode.platter.resize(len, 0);
            inode.lengths.clear();
        }
        for (number, versions) in std::mem::take(&mut inode.dirty) {
            match if acted.is_ok() { 0 } else { random.random_range(0..3) } {
                0 => inode.put_on_platter(number, sector),
                // What failed is forgotten: the next sync knows nothing of it.
                1 => drop(inode.lost.insert(number)),
                _ => drop(inode.dirty.insert(number, versions)),
            }
        }
        if acted.is_ok() && is_with_folder {
            self.put_names_on_platter();
        }
        acted
    }

    /// Puts on the platter which files there are.
    pub(crate) fn sync_names(&mut self) -> Result<(), Fault> {
        let acted = self.act(Action::Sync);
        if acted.is_ok() && !self.is_dead {
            self.put_names_on_platter();
        }
        acted
    }

    /// Everything that was open is closed. What is there afterwards is what the next one finds.
    pub(crate) fn end(&mut self, end: End) {
        for inode in self.files.iter_mut().filter(|_| end != End::KillOfOne) {
            inode.locks.clear();
            inode.shared.clear();
            inode.shared_locks.clear();
        }
        if end == End::PowerCut {
            for file in 0..self.files.len() {
                self.files[file].lose_power(&mut self.random, self.sector);
            }
            let renamed = std::mem::take(&mut self.renamed);
            let done = self.random.random_range(0..=renamed.len());
            let is_renamed = |name: &String| renamed.iter().any(|(from, to)| name == from || name == to);
            let mut all: Vec<_> = self.names.keys().chain(self.names_on_platter.keys()).cloned().collect();
            all.sort_unstable();
            all.dedup();
            all.retain(|name| !is_renamed(name));
            for name in all {
                if self.random.random() {
                    match self.names.get(&name) {
                        Some(file) => self.names_on_platter.insert(name, *file),
                        None => self.names_on_platter.remove(&name),
                    };
                }
            }
            for (from, to) in &renamed[..done] {
                if let Some(file) = self.names_on_platter.remove(from) {
                    self.names_on_platter.insert(to.clone(), file);
                }
            }
            self.names = self.names_on_platter.clone();
        }
        (self.is_dead, self.actions_left) = (false, None);
    }

    /// The cache lets go of a sector that it believes to be on the platter.
    fn forget(&mut self, file: FileId) {
        let inode = &mut self.files[file];
        if inode.lost.is_empty() || !self.random.random_ratio(1, 16) {
            return;
        }
        let chosen = self.random.random_range(0..inode.lost.len());
        if let Some(number) = inode.lost.iter().nth(chosen).copied() {
            inode.lost.remove(&number);
            let old = snapshot(&inode.platter, number, self.sector);
            place(&mut inode.cache, number, self.sector, &old);
        }
    }
}

impl Inode {
    fn write(&mut self, offset: usize, bytes: &[u8], sector: usize) {
        let end = offset + bytes.len();
        let old_len = self.cache.len();
        if end > old_len {
            self.cache.resize(end, 0);
            self.lengths.push(end);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        self.touch(offset.min(old_len) / sector, end.div_ceil(sector), sector);
    }

    fn truncate(&mut self, len: usize, sector: usize) {
        let old_len = self.cache.len();
        self.cache.resize(len, 0);
        self.lengths.push(len);
        self.touch(len.min(old_len) / sector, len.max(old_len).div_ceil(sector), sector);
    }

    fn touch(&mut self, first: usize, end: usize, sector: usize) {
        for number in first..end {
            self.lost.remove(&number);
            self.dirty.entry(number).or_default().push(snapshot(&self.cache, number, sector));
        }
    }

    fn put_on_platter(&mut self, number: usize, sector: usize) {
        let bytes = snapshot(&self.cache, number, sector);
        place(&mut self.platter, number, sector, &bytes);
    }

    fn lose_power(&mut self, random: &mut SmallRng, sector: usize) {
        let is_one_fate = random.random_ratio(1, 4);
        let is_kept: bool = random.random();
        let mut fate = |versions: usize| match (is_one_fate, is_kept) {
            (true, true) => versions,
            (true, false) => 0,
            (false, _) => random.random_range(0..=versions),
        };
        let len = match fate(self.lengths.len()) {
            0 => self.platter.len(),
            chosen => self.lengths[chosen - 1],
        };
        self.platter.resize(len, 0);
        for (number, mut versions) in std::mem::take(&mut self.dirty) {
            if let Some(chosen) = fate(versions.len()).checked_sub(1) {
                place(&mut self.platter, number, sector, &versions.swap_remove(chosen));
            }
        }
        self.cache = self.platter.clone();
        self.lengths.clear();
        self.lost.clear();
    }
}

/// A sector, filled up with zeros behind the end of the file.
fn snapshot(bytes: &[u8], number: usize, sector: usize) -> Vec<u8> {
    let begin = (number * sector).min(bytes.len());
    let mut copy = bytes[begin..(begin + sector).min(bytes.len())].to_vec();
    copy.resize(sector, 0);
    copy
}

/// Writes a sector, as far as the file goes.
fn place(bytes: &mut [u8], number: usize, sector: usize, content: &[u8]) {
    let begin = (number * sector).min(bytes.len());
    let end = (begin + sector).min(bytes.len());
    bytes[begin..end].copy_from_slice(&content[..end - begin]);
}
