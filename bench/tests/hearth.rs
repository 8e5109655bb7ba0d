//! The generator against the real program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The server: `HEARTH_BIN`, or the one that cargo builds beside the generator.
fn hearth() -> PathBuf {
    if let Some(path) = std::env::var_os("HEARTH_BIN") {
        return path.into();
    }
    let generator = Path::new(env!("CARGO_BIN_EXE_hearth-bench"));
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "hearth", "--bin", "hearth"]);
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.is_ok_and(|status| status.success()), "Hearth cannot be built");
    generator.with_file_name(format!("hearth{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn nothing_is_lost_or_doubled_on_its_way_through_hearth() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_hearth-bench"));
    bench.arg("--folder").arg(folder.path()).arg("--program").arg(format!("hearth={}", hearth().display()));
    bench.args(["peers", "--quick", "--broker", "nobody"]);
    let rows =
        ["fan-in 50 to 1, QoS 0, 20k/s", "50 pairs, QoS 2", "QoS 1, MQTT 5", "QoS 1, WebSocket", "storm"];
    bench.args(rows.iter().flat_map(|row| ["--only", row]));
    let output = bench.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let results = fs::read_to_string(folder.path().join("some-peers.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let rows = results["rows"].as_array().unwrap();
    assert!(rows.len() >= 7, "{told}");
    for row in rows {
        for cell in row["cells"].as_array().unwrap() {
            let figures = &cell["outcome"]["figures"];
            assert!(figures["per_second"].as_f64().is_some_and(|figure| figure > 0.0), "{row}");
            assert!(figures["cpu_per_million"].as_f64().is_some(), "{row}");
            for metric in ["lost", "again"] {
                assert_eq!(figures[metric].as_f64().unwrap_or(0.0), 0.0, "{row}");
            }
        }
    }
    let page = bench.args(["--page", "--docs"]).arg(folder.path()).output().unwrap();
    assert!(page.status.success(), "{}", String::from_utf8_lossy(&page.stderr));
    let page = fs::read_to_string(folder.path().join("performance.md")).unwrap();
    assert!(page.contains("| connect storm |"), "{page}");
    assert!(folder.path().join("performance-cpu.svg").is_file());
}
