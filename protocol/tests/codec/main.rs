//! The codec against bytes that are written out.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod lengths;
mod malformed;
mod unsendable;
mod values;
mod wire;
