//! The pinned versions of every tool that xtask installs, in one table.

/// The target that the web app is compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// A tool that is compiled from the crate registry.
#[derive(Debug)]
pub(crate) struct CargoTool {
    /// Name of its folder and in messages.
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    pub(crate) flags: &'static [&'static str],
    pub(crate) programs: &'static [&'static str],
    /// What compiling it costs on two cores, for the person who waits.
    pub(crate) minutes: u32,
    /// What its speed is needed for.
    pub(crate) speed: Speed,
    /// Whether its own lock file still compiles.
    pub(crate) is_locked: bool,
}

/// How well a tool is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// The wait for it matters more.
    Enough,
    /// As its makers mean it to run: it is measured.
    Measured,
}

/// Bundles the web app. 0.22 needs a newer compiler than ours. Its default features are for downloads, which it must
/// not do: its tools come from here.
pub(crate) const TRUNK: CargoTool = CargoTool {
    name: "trunk",
    package: "trunk",
    version: "0.21.14",
    flags: &["--no-default-features"],
    programs: &["trunk"],
    minutes: 4,
    speed: Speed::Enough,
    is_locked: true,
};

/// Writes the JavaScript side of the wasm. The version must be the one of the crate in Cargo.lock.
pub(crate) const WASM_BINDGEN: CargoTool = CargoTool {
    name: "wasm-bindgen",
    package: "wasm-bindgen-cli",
    version: "0.2.129",
    flags: &[],
    programs: &["wasm-bindgen", "wasm-bindgen-test-runner"],
    minutes: 2,
    speed: Speed::Enough,
    is_locked: true,
};

/// Cuts the wasm where the app says so. The version must suit the crate wasm_split_helpers in Cargo.lock.
pub(crate) const WASM_SPLIT: CargoTool = CargoTool {
    name: "wasm-split",
    package: "wasm_split_cli_support",
    version: "0.2.4",
    flags: &["--features", "build-binary"],
    programs: &["wasm-split-cli"],
    minutes: 1,
    speed: Speed::Enough,
    is_locked: true,
};

/// Checks licences, sources, duplicates and advisories of the dependencies.
pub(crate) const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    package: "cargo-deny",
    version: "0.20.2",
    flags: &[],
    programs: &["cargo-deny"],
    minutes: 3,
    speed: Speed::Enough,
    is_locked: true,
};

/// Runs the fuzz targets.
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool {
    name: "cargo-fuzz",
    package: "cargo-fuzz",
    version: "0.13.2",
    flags: &[],
    programs: &["cargo-fuzz"],
    minutes: 3,
    speed: Speed::Enough,
    is_locked: true,
};

/// A broker that Hearth is measured beside. Its lock file has a `metrics` that today's compiler refuses.
pub(crate) const RUMQTTD: CargoTool = CargoTool {
    name: "rumqttd",
    package: "rumqttd",
    version: "0.20.0",
    flags: &[],
    programs: &["rumqttd"],
    minutes: 4,
    speed: Speed::Measured,
    is_locked: false,
};

/// Another one. It needs protoc.
pub(crate) const RMQTTD: CargoTool = CargoTool {
    name: "rmqttd",
    package: "rmqttd",
    version: "0.24.0",
    flags: &[],
    programs: &["rmqttd"],
    minutes: 12,
    speed: Speed::Measured,
    is_locked: true,
};

/// A third one, from npm; package, checksums and its program are in `xtask/aedes`.
pub(crate) const AEDES_VERSION: &str = "1.2.0";
/// Its npm project: the names of the files and what is in them.
pub(crate) const AEDES_FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../aedes/package.json")),
    ("package-lock.json", include_str!("../aedes/package-lock.json")),
    ("broker.mjs", include_str!("../aedes/broker.mjs")),
];

/// The compiler that the fuzz targets are built with, as rustup calls it: sanitizers and coverage are not in a stable one.
pub(crate) const NIGHTLY: &str = "nightly-2026-05-20";
/// What that compiler's version says, which is the day before.
pub(crate) const NIGHTLY_DATE: &str = "2026-05-19";

/// wasm-opt, from the npm package `binaryen`; package and checksum are in `xtask/binaryen`.
pub(crate) const BINARYEN_VERSION: &str = "132.0.0";
/// The npm project that installs it.
pub(crate) const BINARYEN_PACKAGE: &str = include_str!("../binaryen/package.json");
/// Its lock file.
pub(crate) const BINARYEN_LOCK: &str = include_str!("../binaryen/package-lock.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_npm_project_installs_the_pinned_binaryen() {
        assert!(BINARYEN_PACKAGE.contains(&format!("\"binaryen\": \"{BINARYEN_VERSION}\"")));
        assert!(BINARYEN_LOCK.contains("\"integrity\": \"sha512-"));
        assert!(!BINARYEN_LOCK.contains("\"resolved\""));
    }

    #[test]
    fn the_npm_project_installs_the_pinned_aedes() {
        let [(_, package), (_, lock), _] = AEDES_FILES;
        assert!(package.contains(&format!("\"aedes\": \"{AEDES_VERSION}\"")));
        assert!(lock.contains("\"integrity\": \"sha512-") && !lock.contains("\"resolved\""));
    }
}
