//! The files of the web app, as the build script put them into the binary.

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path below the web app's folder, with slashes.
    pub(crate) path: &'static str,
    /// The value of its `Content-Type`.
    pub(crate) content_type: &'static str,
    /// A hash of its content, in hexadecimal.
    pub(crate) tag: &'static str,
    /// Whether its name carries a hash, so that its content never changes under that name.
    pub(crate) is_hashed: bool,
    /// Its content.
    pub(crate) identity: &'static [u8],
    /// Its content compressed by brotli, where that is smaller.
    pub(crate) brotli: Option<&'static [u8]>,
    /// Its content compressed by gzip, where that is smaller.
    pub(crate) gzip: Option<&'static [u8]>,
}

/// Every file, sorted by path; empty in a build without a web app.
pub(crate) static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The scripts inside of pages that may run, as sources of a content security policy.
pub(crate) static SCRIPT_HASHES: &[&str] = include!(concat!(env!("OUT_DIR"), "/script_hashes.rs"));

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Says nothing of a build without a web app, whose table is empty.
    #[test]
    fn every_compressed_form_is_smaller_and_unpacks_to_the_file() {
        for file in FILES {
            if let Some(packed) = file.brotli {
                let mut bytes = Vec::new();
                brotli_decompressor::Decompressor::new(packed, 4096).read_to_end(&mut bytes).unwrap();
                assert!(bytes == file.identity && packed.len() < bytes.len(), "{}", file.path);
            }
            if let Some(packed) = file.gzip {
                let mut bytes = Vec::new();
                flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
                assert!(bytes == file.identity && packed.len() < bytes.len(), "{}", file.path);
            }
        }
    }

    #[test]
    fn the_files_are_sorted_so_that_they_are_found() {
        assert!(FILES.is_sorted_by(|one, other| one.path < other.path));
    }

    #[test]
    fn a_web_app_has_an_index_and_names_no_script_twice() {
        assert!(FILES.is_empty() || FILES.iter().any(|file| file.path == "index.html"));
        for (index, hash) in SCRIPT_HASHES.iter().enumerate() {
            assert!(hash.starts_with("'sha256-") && hash.len() == "'sha256-'".len() + 44, "{hash}");
            assert!(!SCRIPT_HASHES[..index].contains(hash), "{hash}");
        }
    }
}
