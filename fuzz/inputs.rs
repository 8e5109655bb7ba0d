//! The inputs with which an ordinary test runs a fuzz target: those that once found something, and seeded ones.

use std::fs;
use std::path::Path;

use hearth_protocol::generate::Random;

/// Runs the target with every file in `fuzz/regressions/TARGET`, then with `count` tapes of up to `len_max` bytes. The sum
/// of what it counted, so that a test sees whether it came far.
pub(crate) fn run(target: &str, count: u64, len_max: usize, body: impl Fn(&[u8]) -> usize) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut sum = 0;
    for file in files {
        let path = file.unwrap().path();
        let _name = Name(path.display().to_string());
        sum += body(&fs::read(path).unwrap());
    }
    for seed in 0..count {
        let _name = Name(format!("seed {seed} of {target}"));
        let random = &mut Random::new(seed);
        let len = random.below(len_max + 1);
        sum += body(&(0..len).map(|_| random.byte()).collect::<Vec<u8>>());
    }
    sum
}

/// Says which input it was that made the target panic.
struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input: {}", self.0);
        }
    }
}
