//! Puts the web app into the binary: every file as it is and compressed, with what its headers need.
//!
//! The folder is `HEARTH_WEB_DIST`, or else `target/web/dist` of the workspace, where `cargo xtask build` leaves the
//! web app. Without it the server is built all the same and says that it has no web app.

// The build script uses a file of the server's http module; `super` there is this file.
#[path = "src/http/inline_script.rs"]
mod inline_script;

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// How hard to compress. What is delivered is worth every second; a debug build is for trying things.
struct Effort {
    brotli: i32,
    gzip: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/http/inline_script.rs");
    println!("cargo::rerun-if-env-changed=HEARTH_WEB_DIST");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let folder = match env::var_os("HEARTH_WEB_DIST") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../target/web/dist");
            // Cargo runs this anew each time while a watched folder is missing, but not while it is empty.
            // Where it cannot be made (a read-only checkout), that is all that is lost.
            let _unwatched = fs::create_dir_all(&folder);
            folder
        }
    };
    if env::var_os("HEARTH_WEB_DIST").is_some() && !folder.is_dir() {
        return Err(format!("HEARTH_WEB_DIST names {}, which is no folder", folder.display()).into());
    }
    println!("cargo::rerun-if-changed={}", folder.display());
    let effort = match env::var("PROFILE")?.as_str() {
        "release" => Effort { brotli: 11, gzip: 9 },
        _ => Effort { brotli: 5, gzip: 6 },
    };
    let mut files = Vec::new();
    collect(&folder, "", &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    let mut hashes = String::from("&[");
    for (index, name) in files.iter().enumerate() {
        let bytes = fs::read(folder.join(name))?;
        table.push_str(&entry(&out, index, name, &bytes, &effort)?);
        if name.ends_with(".html") {
            for script in inline_script::inline_scripts(std::str::from_utf8(&bytes)?) {
                // A browser hashes the text after it made every line end a line feed.
                let script = script.replace("\r\n", "\n").replace('\r', "\n");
                let hash = format!("\"'sha256-{}'\", ", BASE64.encode(Sha256::digest(script)));
                if !hashes.contains(&hash) {
                    hashes.push_str(&hash);
                }
            }
        }
    }
    fs::write(out.join("files.rs"), table + "]\n")?;
    fs::write(out.join("script_hashes.rs"), hashes + "]\n")?;
    Ok(())
}

/// The files below `folder`, by their path with slashes.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    if !folder.is_dir() {
        return Ok(());
    }
    for item in fs::read_dir(folder)? {
        let item = item?;
        let name =
            item.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
        if item.file_type()?.is_dir() {
            collect(&item.path(), &format!("{prefix}{name}/"), files)?;
        } else if !name.starts_with('.') {
            files.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

/// The Rust text of one file's entry.
fn entry(
    out: &Path,
    index: usize,
    name: &str,
    bytes: &[u8],
    effort: &Effort,
) -> Result<String, Box<dyn Error>> {
    let (content_type, is_text) = content_type(name)
        .ok_or_else(|| format!("{name}: this ending has no content type yet; add it to server/build.rs"))?;
    let digest = Sha256::digest(bytes);
    let tag = digest.iter().take(8).fold(String::new(), |tag, byte| format!("{tag}{byte:02x}"));
    let embed = |suffix: &str, bytes: &[u8]| -> Result<String, Box<dyn Error>> {
        let path = out.join(format!("{index}{suffix}"));
        fs::write(&path, bytes)?;
        Ok(format!("include_bytes!({:?})", path.to_str().ok_or("OUT_DIR is not UTF-8")?))
    };
    let packed = |suffix: &str, packed: Vec<u8>| -> Result<String, Box<dyn Error>> {
        // What does not get smaller is not worth the other end's work.
        if packed.len() < bytes.len() {
            Ok(format!("Some({})", embed(suffix, &packed)?))
        } else {
            Ok("None".to_owned())
        }
    };
    let (brotli, gzip) = if is_text {
        (packed(".br", brotli(bytes, effort.brotli)?)?, packed(".gz", gzip(bytes, effort.gzip)?)?)
    } else {
        ("None".to_owned(), "None".to_owned())
    };
    let (identity, is_hashed) = (embed("", bytes)?, is_hashed(name));
    Ok(format!(
        "    File {{ path: {name:?}, content_type: {content_type:?}, tag: {tag:?}, is_hashed: {is_hashed}, \
         identity: {identity}, brotli: {brotli}, gzip: {gzip} }},\n"
    ))
}

/// The type of a file, and whether compressing it can help.
fn content_type(name: &str) -> Option<(&'static str, bool)> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => ("text/html; charset=utf-8", true),
        "js" | "mjs" => ("text/javascript; charset=utf-8", true),
        "css" => ("text/css; charset=utf-8", true),
        "wasm" => ("application/wasm", true),
        "svg" => ("image/svg+xml", true),
        "json" | "map" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "txt" => ("text/plain; charset=utf-8", true),
        "ico" => ("image/x-icon", true),
        "png" => ("image/png", false),
        "jpg" | "jpeg" => ("image/jpeg", false),
        "webp" => ("image/webp", false),
        "woff2" => ("font/woff2", false),
        _ => return None,
    })
}

/// Whether the name carries a hash of the content, as in `app-0123456789abcdef_bg.wasm`: then it never changes.
fn is_hashed(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let stem = file.split('.').next().unwrap_or(file);
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    let Some((_, hash)) = stem.rsplit_once('-') else { return false };
    hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn brotli(bytes: &[u8], quality: i32) -> Result<Vec<u8>, Box<dyn Error>> {
    // The largest window that every browser takes.
    const WINDOW_BITS: i32 = 22;
    let params = brotli::enc::BrotliEncoderParams {
        quality,
        lgwin: WINDOW_BITS,
        size_hint: bytes.len(),
        ..brotli::enc::BrotliEncoderParams::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut packed, &params)?;
    Ok(packed)
}

fn gzip(bytes: &[u8], level: u32) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
