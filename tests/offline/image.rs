use std::fs;
use std::path::Path;

/// What cargo has to find where the image is built, even if it builds none of it: packages of the workspace, and sources of
/// targets that are named.
fn needed() -> Vec<String> {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("Cargo.toml");
    let strings = |line: &str| line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let named = |line: &&str| line.starts_with("members = ") || line.starts_with("path = ");
    manifest.lines().filter(named).flat_map(strings).collect()
}

#[test]
fn whatever_cargo_needs_is_let_into_the_images_context() {
    let ignored = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.dockerignore")).expect(".dockerignore");
    let admitted: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let needed = needed();
    assert!(needed.iter().any(|path| path == "src/main.rs") && needed.iter().any(|path| path == "tests/histories"));
    for path in needed {
        assert!(admitted.iter().any(|admitted| Path::new(&path).starts_with(admitted)), ".dockerignore hides {path}");
    }
}
