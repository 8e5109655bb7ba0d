//! The file of a unix socket: made, taken over from a broker that died, and removed at the end.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket};

/// The file of a socket that this process listens on. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: a file that somebody else put there in the meantime is not ours to remove.
    identity: Option<(u64, u64)>,
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketFileError {
    #[error("another program listens there")]
    Live,
    #[error("there is a file that is no socket")]
    Occupied,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Listens at `path`, with the file's permissions set before anybody can connect.
///
/// # Errors
/// The file cannot be had, or is in use.
pub(crate) async fn listen(
    path: &Path,
    mode: u32,
    backlog: u32,
) -> Result<(UnixListener, SocketFile), SocketFileError> {
    remove_stale(path).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let mut file = SocketFile { path: path.to_path_buf(), identity: None };
    file.identity = Some(identity(path)?);
    // Between bind and listen nobody can connect: no moment with wider permissions counts.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok((socket.listen(backlog)?, file))
}

/// Removes a socket that nobody listens on any more: what a broker leaves that was killed.
async fn remove_stale(path: &Path) -> Result<(), SocketFileError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(SocketFileError::Occupied),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    match UnixSocket::new_stream()?.connect(path).await {
        Ok(_) => Err(SocketFileError::Live),
        // So many wait to be accepted that there is no room for one more.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SocketFileError::Live),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path)?;
            tracing::info!(path = %path.display(), "removed the socket of a broker that is no more");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path).ok() != self.identity {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a socket file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("hearth-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn the_file_has_its_permissions_and_goes_with_the_listener() {
        let folder = folder("socket-mode");
        let path = folder.join("hearth.sock");
        for mode in [0o600, 0o660, 0o666] {
            let (_listener, file) = listen(&path, mode, 8).await.unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            drop(file);
            assert!(!path.exists());
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = folder("socket-stale");
        let path = folder.join("hearth.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file, as a broker that is killed does");
        let (_listener, _file) = listen(&path, 0o600, 8).await.unwrap();
        assert!(matches!(listen(&path, 0o600, 8).await, Err(SocketFileError::Live)));
        assert!(path.exists(), "the live one keeps its file");
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_socket_stays_and_what_another_put_there_too() {
        let folder = folder("socket-other");
        let path = folder.join("hearth.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(listen(&path, 0o600, 8).await, Err(SocketFileError::Occupied)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        let (_listener, file) = listen(&path, 0o600, 8).await.unwrap();
        fs::rename(&path, folder.join("moved.sock")).unwrap();
        fs::write(&path, "of another").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "of another");
        fs::remove_dir_all(folder).unwrap();
    }
}
