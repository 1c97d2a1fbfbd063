use std::fs;
use std::path::Path;

/// A tag can be moved to other code by whoever owns it; a digest cannot.
#[test]
fn every_action_is_pinned_by_its_digest_and_says_its_version() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let mut actions = 0;
    for entry in fs::read_dir(folder).expect("the workflows") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a workflow");
        for line in text.lines().filter(|line| line.contains("uses: ")) {
            let (_, action) = line.split_once("uses: ").expect("an action");
            let pin = action.split_once('@').map(|(_, pin)| pin).unwrap_or_default();
            let (digest, version) = pin.split_once(" # v").unwrap_or_default();
            let is_digest = digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_digest && !version.is_empty(), "{}: {action}", path.display());
            actions += 1;
        }
    }
    assert!(actions > 5, "{actions} actions");
}
