//! `render` as its users run it: transcripts, each a file of commands with what they print and how they end, and what
//! reads badly as one. `UPDATE=1 cargo test render` writes the transcripts anew, to be reviewed as a diff.
//!
//! A transcript begins with a rule, as `# In <folder>: <rule>`. After a command, the lines of standard output stand as
//! they are, those of standard error behind a `!`, and the exit code behind a `=`. The program's name and the command
//! before `render` are left out.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use homelab_helper::render::unified;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const TRANSCRIPTS: &str = "tests/offline/render";

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    output: String,
    errors: String,
    code: i32,
}

fn render(folder: &Path, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.arg("gateway-route-sync").args(arguments).current_dir(folder).env_clear();
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("a program that runs");
    // A program that does not read closes the pipe, which is no error here.
    let _ = child.stdin.take().expect("its input").write_all(input);
    let ended = child.wait_with_output().expect("its end");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended { output: text(ended.stdout), errors: text(ended.stderr), code: ended.status.code().expect("an exit code") }
}

#[test]
fn transcripts() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(Path::new(ROOT).join(TRANSCRIPTS)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty());
    let mut failures = String::new();
    for file in files {
        let expected = fs::read_to_string(&file).unwrap();
        let played = played(&expected);
        if played == expected {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &played).unwrap();
            continue;
        }
        let _ = write!(failures, "\n{}\n{}", file.display(), unified(&expected, &played));
    }
    assert!(failures.is_empty(), "- expected, + seen (UPDATE=1 takes over what is seen)\n{failures}");
}

/// The transcript with every command run once more.
fn played(transcript: &str) -> String {
    let rule = transcript.lines().next().unwrap_or_default();
    let (folder, _) =
        rule.strip_prefix("# In ").and_then(|rule| rule.split_once(": ")).expect("`# In <folder>: <rule>`");
    let folder = Path::new(ROOT).join(folder);
    let mut text = format!("{rule}\n");
    for command in transcript.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let (arguments, input) = command.split_once(" < ").unwrap_or((command, ""));
        let input = if input.is_empty() { Vec::new() } else { fs::read(folder.join(input)).expect("an input") };
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let Ended { output, errors, code } = render(&folder, &arguments, &input);
        let errors: String = errors.lines().fold(String::new(), |errors, line| errors + "! " + line + "\n");
        let _ = write!(text, "\n$ {command}\n{output}{errors}= {code}\n");
    }
    text
}

/// The documents of a folder's files.
fn documents(folder: &str) -> Vec<String> {
    let mut files: Vec<_> =
        fs::read_dir(Path::new(ROOT).join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    texts.flat_map(|text| text.split("\n---\n").map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn the_order_of_the_documents_does_not_matter() {
    let mut documents = documents("examples/household");
    for arguments in [&["render", "-"][..], &["render", "-o", "json", "-"], &["render", "--explain", "-"]] {
        let first = render(Path::new(ROOT), arguments, documents.join("\n---\n").as_bytes());
        assert_eq!(first.code, 1, "{}", first.errors);
        for _ in 0..5 {
            // As one shuffles cards: every second one, then the others.
            let (even, odd): (Vec<_>, Vec<_>) = documents.iter().enumerate().partition(|(place, _)| place % 2 == 0);
            documents = odd.into_iter().chain(even).map(|(_, document)| document.clone()).collect();
            let again = render(Path::new(ROOT), arguments, documents.join("\n---\n").as_bytes());
            assert_eq!(again, first);
        }
    }
}

#[test]
fn a_file_that_is_no_text_is_named_with_the_line() {
    let ended = render(Path::new(ROOT), &["render", "-"], b"kind: Namespace\nname: \xff\n");
    assert_eq!(
        (ended.code, ended.errors.as_str(), ended.output.as_str()),
        (2, "error: standard input: line 2 is not UTF-8\n", "")
    );
}

#[test]
fn what_a_manifest_says_moves_no_cursor() {
    let manifest = "apiVersion: apps/v1\nkind: \"Bell\\e[2J\\n\"\nmetadata: {name: x}\n";
    let ended = render(Path::new(ROOT), &["render", "-"], manifest.as_bytes());
    assert!(ended.errors.contains("ignored: 1 Bell\\u{1b}[2J\\n.apps\n"), "{}", ended.errors);
}
