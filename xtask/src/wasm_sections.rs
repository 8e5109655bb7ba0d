//! Reads just enough of a wasm module to say which function is how large.
//!
//! The format is that of the WebAssembly core specification, chapter 5 (modules) and appendix A.7.4 (names).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

const CUSTOM: u8 = 0;
const IMPORT: u8 = 2;
const CODE: u8 = 10;
const DATA: u8 = 11;
/// The part of the name section with the names of functions.
const FUNCTION_NAMES: u8 = 1;

/// Where the bytes of a module are.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    pub(crate) functions: Vec<Function>,
    pub(crate) data_bytes: usize,
    /// Everything but code, data and sections that only name things.
    pub(crate) other_bytes: usize,
}

/// A function's code.
#[derive(Debug)]
pub(crate) struct Function {
    /// As the compiler's path, `<a::B as c::D>::e`.
    pub(crate) name: String,
    pub(crate) bytes: usize,
}

impl Function {
    /// The crate that it is written in, as far as its name tells.
    pub(crate) fn origin(&self) -> &str {
        let paths = self.name.split(" as ").chain(self.name.split("::<"));
        paths.into_iter().find_map(crate_of_path).unwrap_or("no crate: start, allocation, glue")
    }
}

/// The first segment of a path of two segments or more.
fn crate_of_path(path: &str) -> Option<&str> {
    let start = path.find(|letter: char| letter.is_alphanumeric() || letter == '_')?;
    let mut path = &path[start..];
    for word in ["mut ", "const ", "dyn ", "impl "] {
        path = path.strip_prefix(word).unwrap_or(path);
    }
    let end = path.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    // A hash in brackets may stand between crate and path.
    let after =
        path[end..].strip_prefix('[').and_then(|hash| hash.split_once(']')).map_or(&path[end..], |it| it.1);
    after.starts_with("::").then_some(&path[..end])
}

/// Reads a whole module.
pub(crate) fn read(wasm: &[u8]) -> Result<Sections> {
    let Some(rest) = wasm.strip_prefix(b"\0asm\x01\0\0\0") else {
        bail!("this is no wasm module of version 1")
    };
    let mut reader = Reader { rest };
    let mut sections = Sections::default();
    let mut imported = 0;
    let mut bodies = Vec::new();
    let mut names = BTreeMap::new();
    while !reader.rest.is_empty() {
        let id = reader.byte()?;
        let mut section = Reader { rest: reader.block()? };
        let bytes = section.rest.len();
        match id {
            CUSTOM => {
                if section.text()? == "name" {
                    names = section.function_names()?;
                }
            }
            CODE => {
                for _ in 0..section.number()? {
                    bodies.push(section.block()?.len());
                }
            }
            DATA => sections.data_bytes += bytes,
            IMPORT => {
                imported = section.imported_functions()?;
                sections.other_bytes += bytes;
            }
            _ => sections.other_bytes += bytes,
        }
    }
    if names.is_empty() {
        bail!("the wasm module has no names");
    }
    sections.functions = (imported..)
        .zip(bodies)
        .map(|(index, bytes)| Function { name: names.remove(&index).unwrap_or_default(), bytes })
        .collect();
    Ok(sections)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().context("the wasm module is cut off")?;
        self.rest = rest;
        Ok(*first)
    }

    /// An unsigned LEB128 of at most 32 bits.
    fn number(&mut self) -> Result<u32> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(u32::try_from(value)?);
            }
        }
        bail!("a number in the wasm module is too long")
    }

    fn block(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.number()?)?;
        let (block, rest) = self.rest.split_at_checked(length).context("the wasm module is cut off")?;
        self.rest = rest;
        Ok(block)
    }

    fn text(&mut self) -> Result<&'a str> {
        Ok(std::str::from_utf8(self.block()?)?)
    }

    fn limits(&mut self) -> Result<()> {
        let has_maximum = self.byte()? & 1 == 1;
        self.number()?;
        if has_maximum {
            self.number()?;
        }
        Ok(())
    }

    /// How many functions come from outside; they have the first indices.
    fn imported_functions(&mut self) -> Result<u32> {
        let mut count = 0;
        for _ in 0..self.number()? {
            self.text()?;
            self.text()?;
            match self.byte()? {
                0 => {
                    self.number()?;
                    count += 1;
                }
                1 => {
                    self.byte()?;
                    self.limits()?;
                }
                2 => self.limits()?,
                3 => {
                    self.byte()?;
                    self.byte()?;
                }
                4 => {
                    self.byte()?;
                    self.number()?;
                }
                kind => bail!("the wasm module imports something of the unknown kind {kind}"),
            }
        }
        Ok(count)
    }

    fn function_names(&mut self) -> Result<BTreeMap<u32, String>> {
        let mut names = BTreeMap::new();
        while !self.rest.is_empty() {
            let id = self.byte()?;
            let mut part = Reader { rest: self.block()? };
            if id == FUNCTION_NAMES {
                for _ in 0..part.number()? {
                    let index = part.number()?;
                    names.insert(index, part.text()?.to_owned());
                }
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[id, length], content].concat()
    }

    #[test]
    fn functions_get_their_names_behind_the_imported_ones() {
        let imports = section(IMPORT, b"\x02\x01a\x01b\0\0\x01a\x01m\x02\x01\x01\x10");
        let code = section(CODE, b"\x02\x02\0\x0b\x04\0\x41\0\x0b");
        let data = section(DATA, b"\0");
        let names = section(CUSTOM, b"\x04name\x01\x13\x03\x00\x01i\x01\x04a::b\x02\x07<c as d");
        let wasm = [b"\0asm\x01\0\0\0".to_vec(), imports, code, data, names].concat();
        let sections = read(&wasm).unwrap();
        let found: Vec<_> = sections.functions.iter().map(|it| (it.name.as_str(), it.bytes)).collect();
        assert_eq!(found, [("a::b", 2), ("<c as d", 4)]);
        assert_eq!((sections.data_bytes, sections.other_bytes), (1, 15));
    }

    #[test]
    fn a_module_that_is_cut_off_is_an_error() {
        assert!(read(b"\0asm\x01\0\0\0\x0a\x05\x01").is_err());
        assert!(read(b"wasm").is_err());
    }

    #[test]
    fn the_crate_of_a_function_is_read_from_its_path() {
        for (name, origin) in [
            ("yew::html::render", "yew"),
            ("<yew::Node as core::clone::Clone>::clone", "yew"),
            ("<&mut hearth_protocol::Text as core::fmt::Debug>::fmt", "hearth_protocol"),
            ("<str as alloc::string::ToString>::to_string", "alloc"),
            ("<[T] as core::fmt::Debug>::fmt", "core"),
            ("core[4f1a]::fmt::write", "core"),
            ("__wbindgen_malloc", "no crate: start, allocation, glue"),
        ] {
            assert_eq!(Function { name: name.to_owned(), bytes: 0 }.origin(), origin, "{name}");
        }
    }
}
