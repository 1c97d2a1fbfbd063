use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use controlplane::{ControlPlane, Error, eventually};

use crate::SOON;

#[tokio::test]
async fn dropping_it_leaves_nothing_behind() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    let folder = folder_of(control_plane.kubeconfig());
    let running = processes_of(&folder);
    for program in ["etcd", "kube-apiserver", "kube-controller-manager"] {
        assert!(running.iter().any(|process| process.contains(program)), "no {program} in {running:?}");
    }
    drop(control_plane);
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test]
async fn killing_the_command_leaves_nothing_behind() {
    let (mut command, folder) = up();
    command.kill().expect("it can be killed");
    command.wait().expect("it ends");
    gone(&folder).await;
}

#[tokio::test]
async fn terminating_the_command_leaves_nothing_behind() {
    let (mut command, folder) = up();
    signal("TERM", &command.id().to_string());
    assert!(command.wait().expect("it ends").success());
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert!(!folder.exists());
}

/// A terminal sends the signal to the whole process group at once.
#[tokio::test]
async fn pressing_ctrl_c_leaves_nothing_behind() {
    let (mut command, folder) = up();
    signal("INT", &format!("-{}", command.id()));
    assert!(command.wait().expect("it ends").success());
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert!(!folder.exists());
}

/// Runs the command until it says that the control plane is up; the process and its folder.
fn up() -> (Child, PathBuf) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .args(["up", "--channel", "none"])
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the command starts");
    let output = BufReader::new(command.stdout.take().expect("its output is piped"));
    let kubeconfig = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("export KUBECONFIG=").map(PathBuf::from))
        .expect("it names a kubeconfig before it ends");
    let folder = folder_of(&kubeconfig);
    assert!(!processes_of(&folder).is_empty(), "it runs something");
    (command, folder)
}

fn signal(name: &str, target: &str) {
    let sent = Command::new("kill").args(["-s", name, "--", target]).status().expect("kill can be run");
    assert!(sent.success());
}

fn folder_of(kubeconfig: &Path) -> PathBuf {
    kubeconfig.parent().expect("the kubeconfig is in a folder").to_owned()
}

async fn gone(folder: &Path) {
    let outcome = eventually("nothing is left", SOON, async || {
        let left = processes_of(folder);
        if left.is_empty() && !folder.exists() { Ok(()) } else { Err(format!("processes {left:?}")) }
    });
    outcome.await.unwrap_or_else(|error| panic!("{error}"));
}

/// The command lines of all processes that work in a folder; all of them name it.
fn processes_of(folder: &Path) -> Vec<String> {
    let list = Command::new("ps").args(["-A", "-o", "args="]).output().expect("ps can be run");
    let folder = folder.to_str().expect("the folder has a plain name");
    String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.contains(folder)).map(String::from).collect()
}
