//! The way from SQLite to a [`HostileDisk`]: a virtual file system by the name of `hostile`.
#![expect(
    unsafe_code,
    reason = "SQLite is given a table of C functions and hands back the pointers that it was given"
)]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once};

use rusqlite::{Connection, OpenFlags, ffi};

use super::hostile_disk::{Action, Fault, FileId, HostileDisk};

/// A disk that connections and the test use together.
pub(crate) type SharedDisk = Arc<Mutex<HostileDisk>>;

/// By the first part of the path of their files.
static DISKS: LazyLock<Mutex<HashMap<String, SharedDisk>>> = LazyLock::new(Mutex::default);

static HANDLES: AtomicUsize = AtomicUsize::new(0);

/// Lets files whose path begins with `/name/` be on this disk.
pub(crate) fn mount(name: &str, disk: HostileDisk) -> SharedDisk {
    let disk = Arc::new(Mutex::new(disk));
    DISKS.lock().unwrap().insert(name.to_owned(), Arc::clone(&disk));
    disk
}

pub(crate) fn unmount(name: &str) {
    DISKS.lock().unwrap().remove(name);
}

/// The disk that a file is on.
pub(crate) fn disk_of(path: &str) -> Option<SharedDisk> {
    DISKS.lock().unwrap().get(path.split('/').nth(1)?).cloned()
}

/// Opens a database on the disk that its path names.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(register);
    Connection::open_with_flags_and_vfs(path, OpenFlags::default(), c"hostile")
}

fn register() {
    // SAFETY: a table of plain data for which all zeros (no functions, null pointers) is a value.
    let mut vfs: ffi::sqlite3_vfs = unsafe { std::mem::zeroed() };
    vfs.iVersion = 2;
    vfs.szOsFile = size_of::<OpenFile>() as c_int;
    vfs.mxPathname = 512;
    vfs.zName = c"hostile".as_ptr();
    vfs.xOpen = Some(open);
    vfs.xDelete = Some(delete);
    vfs.xAccess = Some(access);
    vfs.xFullPathname = Some(full_path);
    vfs.xRandomness = Some(randomness);
    vfs.xSleep = Some(sleep);
    vfs.xCurrentTime = Some(current_time);
    vfs.xCurrentTimeInt64 = Some(current_time_ms);
    // SAFETY: the table is leaked and so lives as long as SQLite may use it; the functions have the types of the table.
    let registered = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
    assert_eq!(registered, ffi::SQLITE_OK);
}

/// What SQLite gives room for. It sees the first field only.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    handle: *mut Handle,
}

struct Handle {
    number: usize,
    disk: SharedDisk,
    file: FileId,
    name: Option<String>,
    /// The folder is synced with its first sync, as SQLite does it on Unix for logs.
    is_new: bool,
    is_temporary: bool,
}

impl Handle {
    fn disk(&self) -> MutexGuard<'_, HostileDisk> {
        self.disk.lock().unwrap()
    }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn code(result: Result<(), Fault>, broken: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Fault::Broken) => broken,
        Err(Fault::Full) => ffi::SQLITE_FULL,
    }
}

/// # Safety
/// The file was opened by [`open`] and is not closed.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` made it from a box, `close` alone frees it, and SQLite uses a file from one thread at a time.
    unsafe { &mut *(*file.cast::<OpenFile>()).handle }
}

/// # Safety
/// A string that ends with zero.
unsafe fn text(name: *const c_char) -> String {
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(name) }.to_str().unwrap().to_owned()
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes and a name that is null or ends with zero; without methods it does not
    // close a file that could not be opened.
    let name = unsafe {
        (*file).pMethods = ptr::null();
        (!name.is_null()).then(|| text(name))
    };
    let disk = match &name {
        Some(name) => disk_of(name),
        // What no name is asked for is gone with its handle: any disk will do.
        None => Some(Arc::new(Mutex::new(HostileDisk::new(0)))),
    };
    let Some(disk) = disk else { return ffi::SQLITE_CANTOPEN };
    let mut locked = disk.lock().unwrap();
    if locked.act(Action::Look).is_err() {
        return ffi::SQLITE_CANTOPEN;
    }
    let found = name.as_deref().and_then(|name| locked.find(name));
    let id = match found {
        Some(id) => id,
        None if flags & ffi::SQLITE_OPEN_CREATE != 0 && !locked.faults.is_full => {
            locked.create(name.as_deref())
        }
        None => return ffi::SQLITE_CANTOPEN,
    };
    drop(locked);
    let handle = Handle {
        number: HANDLES.fetch_add(1, Ordering::Relaxed),
        disk,
        file: id,
        name,
        is_new: found.is_none() && flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0,
        is_temporary: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
    };
    // SAFETY: as above; `flags_out` may be null.
    unsafe {
        let file = file.cast::<OpenFile>();
        (*file).handle = Box::into_raw(Box::new(handle));
        (*file).base.pMethods = &METHODS;
        if !flags_out.is_null() {
            *flags_out = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: it was opened, and SQLite does not use it again.
    let handle = unsafe { Box::from_raw((*file.cast::<OpenFile>()).handle) };
    let mut disk = handle.disk();
    disk.files[handle.file].locks.remove(&handle.number);
    if let Some(name) = handle.name.as_deref().filter(|_| handle.is_temporary) {
        disk.remove(name, false);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives room for so many bytes.
    let (handle, into) =
        unsafe { (handle(file), std::slice::from_raw_parts_mut(into.cast::<u8>(), len as usize)) };
    into.fill(0);
    match handle.disk().read(handle.file, offset as usize, into) {
        Ok(read) if read == into.len() => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives so many bytes.
    let (handle, bytes) =
        unsafe { (handle(file), std::slice::from_raw_parts(bytes.cast::<u8>(), len as usize)) };
    code(handle.disk().write(handle.file, offset as usize, bytes), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: it is open.
    let handle = unsafe { handle(file) };
    code(handle.disk().truncate(handle.file, len as usize), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: it is open.
    let handle = unsafe { handle(file) };
    let synced = handle.disk().sync(handle.file, handle.is_new);
    handle.is_new &= synced.is_err();
    code(synced, ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, len: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: it is open, and `len` points to a number.
    let handle = unsafe { handle(file) };
    let mut disk = handle.disk();
    let looked = disk.act(Action::Look);
    // SAFETY: as above.
    unsafe { *len = disk.len(handle.file) as i64 };
    code(looked, ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: it is open.
    let handle = unsafe { handle(file) };
    let mut disk = handle.disk();
    let locks = &mut disk.files[handle.file].locks;
    let mine = locks.get(&handle.number).copied().unwrap_or_default();
    if mine >= level {
        return ffi::SQLITE_OK;
    }
    let others = locks.iter().filter(|(number, _)| **number != handle.number).map(|(_, level)| *level).max();
    let others = others.unwrap_or_default();
    let is_free = match level {
        ffi::SQLITE_LOCK_SHARED => others < ffi::SQLITE_LOCK_PENDING,
        ffi::SQLITE_LOCK_RESERVED => others < ffi::SQLITE_LOCK_RESERVED,
        _ => others < ffi::SQLITE_LOCK_SHARED,
    };
    if is_free {
        locks.insert(handle.number, level);
        return ffi::SQLITE_OK;
    }
    if level == ffi::SQLITE_LOCK_EXCLUSIVE && others < ffi::SQLITE_LOCK_RESERVED {
        locks.insert(handle.number, ffi::SQLITE_LOCK_PENDING);
    }
    ffi::SQLITE_BUSY
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: it is open.
    let handle = unsafe { handle(file) };
    handle.disk().files[handle.file].locks.insert(handle.number, level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, is_reserved: *mut c_int) -> c_int {
    // SAFETY: it is open, and the result points to a number.
    unsafe {
        let handle = handle(file);
        let disk = handle.disk();
        let mut levels = disk.files[handle.file].locks.values();
        *is_reserved = c_int::from(levels.any(|level| *level >= ffi::SQLITE_LOCK_RESERVED));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // What the file system of Unix claims, and no more.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    len: c_int,
    is_extended: c_int,
    address: *mut *mut c_void,
) -> c_int {
    // SAFETY: it is open.
    let handle = unsafe { handle(file) };
    let mut disk = handle.disk();
    let inode = &mut disk.files[handle.file];
    inode.shared_locks.entry(handle.number).or_default();
    while is_extended != 0 && inode.shared.len() <= region as usize {
        inode.shared.push((0..len as usize / 8).map(|_| AtomicU64::new(0)).collect());
    }
    let found = inode.shared.get(region as usize);
    // Memory of atomics may be written through a shared reference.
    let found = found.map_or(ptr::null_mut(), |region| region.as_ptr().cast::<c_void>().cast_mut());
    // SAFETY: the result points to a pointer. The region stays where it is until the last handle has unmapped it.
    unsafe { *address = found };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    slots: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: it is open.
    let handle = unsafe { handle(file) };
    let mut disk = handle.disk();
    let locks = &mut disk.files[handle.file].shared_locks;
    let mask = ((1_u32 << slots) - 1) << first;
    let is_exclusive = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
    if flags & ffi::SQLITE_SHM_UNLOCK == 0 {
        let mut others = locks.iter().filter(|(number, _)| **number != handle.number);
        if others.any(|(_, (shared, own))| (own | if is_exclusive { *shared } else { 0 }) & mask != 0) {
            return ffi::SQLITE_BUSY;
        }
    }
    let (shared, own) = locks.entry(handle.number).or_default();
    let slots = if is_exclusive { own } else { shared };
    if flags & ffi::SQLITE_SHM_UNLOCK == 0 {
        *slots |= mask;
    } else {
        *slots &= !mask;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: it is open.
    let handle = unsafe { handle(file) };
    let mut disk = handle.disk();
    let inode = &mut disk.files[handle.file];
    inode.shared_locks.remove(&handle.number);
    if inode.shared_locks.is_empty() {
        inode.shared.clear();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, is_synced: c_int) -> c_int {
    // SAFETY: a name that ends with zero.
    let name = unsafe { text(name) };
    let Some(disk) = disk_of(&name) else { return ffi::SQLITE_IOERR_DELETE };
    let mut disk = disk.lock().unwrap();
    if let Err(fault) = disk.act(Action::Write) {
        return code(Err(fault), ffi::SQLITE_IOERR_DELETE);
    }
    if disk.remove(&name, is_synced != 0) { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_DELETE_NOENT }
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _: c_int,
    is_there: *mut c_int,
) -> c_int {
    // SAFETY: a name that ends with zero, and a result that points to a number.
    let name = unsafe { text(name) };
    let Some(disk) = disk_of(&name) else { return ffi::SQLITE_IOERR_ACCESS };
    let mut disk = disk.lock().unwrap();
    // SAFETY: as above.
    unsafe { *is_there = c_int::from(disk.find(&name).is_some_and(|file| disk.len(file) > 0)) };
    code(disk.act(Action::Look), ffi::SQLITE_IOERR_ACCESS)
}

unsafe extern "C" fn full_path(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: a name that ends with zero, and so much room.
    unsafe {
        let len = CStr::from_ptr(name).to_bytes_with_nul().len();
        if len > room as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name, out, len);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, len: c_int, out: *mut c_char) -> c_int {
    // SAFETY: so much room.
    unsafe { ptr::write_bytes(out, 7, len as usize) };
    len
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, days: *mut f64) -> c_int {
    // SAFETY: the result points to a number.
    unsafe { *days = 2_461_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_ms(_: *mut ffi::sqlite3_vfs, ms: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: the result points to a number.
    unsafe { *ms = 2_461_000 * 86_400_000 };
    ffi::SQLITE_OK
}
