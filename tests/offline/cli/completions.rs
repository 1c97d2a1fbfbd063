use std::process::Command;

use super::{File, ended, program};

fn script(shell: &str) -> String {
    let (code, script, errors) = ended(program(&["completions", shell]));
    assert_eq!((code, errors.as_str()), (0, ""), "{shell}");
    script
}

#[test]
fn each_shell_gets_a_script_that_knows_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = script(shell);
        for word in ["gateway-route-sync", "status", "crd", "completions", "all-namespaces", "leader-election"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn a_shell_that_is_none_is_refused() {
    let (code, _, errors) = ended(program(&["completions", "cmd"]));
    assert_eq!(code, 2);
    assert!(errors.contains("[possible values: bash, elvish, fish, powershell, zsh]"), "{errors}");
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let file = File::new(&script("bash"));
    for (words, expected) in [
        ("homelab-helper gateway-route-sync sta", "status"),
        ("homelab-helper gateway-route-sync status --all", "--all-namespaces"),
        ("homelab-helper gateway-route-sync status -o js", "json"),
        ("homelab-helper completions z", "zsh"),
    ] {
        // What bash does when the tab key is pressed at the end of these words.
        let pressed = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _homelab__helper homelab-helper \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[@]}}\"",
            file.path()
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &pressed]);
        let (code, completed, errors) = ended(bash);
        assert_eq!((code, completed.trim()), (0, expected), "{words}: {errors}");
    }
}
