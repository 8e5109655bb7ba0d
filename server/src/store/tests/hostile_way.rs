//! The way of a store to a hostile disk.

use std::io;
use std::path::Path;

use super::hostile_disk::{Action, Fault, HostileDisk};
use super::vfs;
use crate::store::way::{Pieces, Way};

/// Bytes that are written anew at a time.
const BLOCK: usize = 4096;

/// Log and cache are short, so that a short round sees the log go into the database and begin anew, and pages leave the memory
/// early.
pub(crate) const HOSTILE: Way = Way {
    connect: vfs::connect,
    read,
    write,
    rewrite,
    sync_names,
    is_there,
    rename,
    remove,
    log_pages_max: 12,
    cache: 8,
};

/// The same with a log that stays where it is.
pub(crate) const LONG_LOG: Way = Way { log_pages_max: 1000, ..HOSTILE };

/// Does something with the disk that a path is on.
fn on_disk<T>(path: &Path, act: impl FnOnce(&mut HostileDisk, &str) -> Result<T, Fault>) -> io::Result<T> {
    let name = path.to_str().unwrap();
    let disk = vfs::disk_of(name).expect("it is mounted");
    let mut disk = disk.lock().unwrap();
    act(&mut disk, name).map_err(|fault| io::Error::other(format!("{fault:?}")))
}

fn read(path: &Path, at: u64, into: &mut [u8]) -> io::Result<usize> {
    on_disk(path, |disk, name| disk.find(name).map_or(Ok(0), |file| disk.read(file, at as usize, into)))
}

fn write(path: &Path, next: Pieces<'_>) -> io::Result<()> {
    on_disk(path, |disk, name| match disk.find(name) {
        Some(file) => disk.truncate(file, 0),
        None => {
            disk.act(Action::Write)?;
            disk.create(Some(name));
            Ok(())
        }
    })?;
    let (mut piece, mut at) = (Vec::new(), 0);
    loop {
        next(&mut piece)?;
        on_disk(path, |disk, name| {
            // A process that is killed has nothing open any more, and its files may have other names.
            let file = disk.find(name).ok_or(Fault::Broken)?;
            for block in piece.chunks(BLOCK) {
                disk.write(file, at, block)?;
                at += block.len();
            }
            if piece.is_empty() { disk.sync(file, true) } else { Ok(()) }
        })?;
        if piece.is_empty() {
            return Ok(());
        }
    }
}

fn rewrite(path: &Path) -> io::Result<bool> {
    on_disk(path, |disk, name| {
        let Some(file) = disk.find(name) else { return Ok(false) };
        for offset in (0..disk.len(file)).step_by(BLOCK) {
            let mut block = vec![0; BLOCK.min(disk.len(file) - offset)];
            disk.read(file, offset, &mut block)?;
            disk.write(file, offset, &block)?;
        }
        disk.sync(file, true)?;
        Ok(true)
    })
}

fn sync_names(path: &Path) -> io::Result<()> {
    on_disk(path, |disk, _| disk.sync_names())
}

fn is_there(path: &Path) -> io::Result<bool> {
    on_disk(path, |disk, name| {
        disk.act(Action::Look)?;
        Ok(disk.find(name).is_some())
    })
}

fn rename(from: &Path, to: &Path) -> io::Result<bool> {
    on_disk(from, |disk, name| disk.rename(name, to.to_str().unwrap()))
}

fn remove(path: &Path) -> io::Result<bool> {
    on_disk(path, |disk, name| {
        disk.act(Action::Write)?;
        Ok(disk.remove(name, false))
    })
}
