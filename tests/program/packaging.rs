//! The Debian package, made of what `make install` lays out, installed into a folder as if that were a machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::manager::skip;
use super::workshop::Workshop;

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a command, which must end well.
#[track_caller]
fn well(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn dpkg(root: &Path) -> Command {
    let mut command = Command::new("dpkg");
    // The scripts run on this machine, where what the package depends on is; the folder has nothing else in it.
    command.arg(format!("--root={}", root.display())).args(["--force-script-chrootless", "--force-depends"]);
    command
}

#[test]
fn an_installed_package_trains_with_what_it_has_brought() {
    if !rustix::process::getuid().is_root() || Command::new("dpkg-deb").arg("--version").output().is_err() {
        return skip("the Debian package is not tested: that needs root and dpkg");
    }
    let folder = tempfile::tempdir().unwrap();
    let (packages, root) = (folder.path().join("packages"), folder.path().join("root"));
    well(Command::new("scripts/deb.sh").arg(&packages).current_dir(SOURCE));
    let package = fs::read_dir(&packages).unwrap().next().unwrap().unwrap().path();
    for part in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"] {
        fs::create_dir_all(root.join(part)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    well(dpkg(&root).arg("--install").arg(&package));

    let text = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    assert!(text("etc/passwd").starts_with("gleaner:"), "the service has a user of its own");
    for (unit, config) in [("gleaner", "gleaner"), ("gleaner@", "%i")] {
        let unit = text(&format!("usr/lib/systemd/system/{unit}.service"));
        assert!(unit.contains(&format!("\nExecStart=/usr/bin/gleaner run -c /etc/gleaner/{config}.yaml\n")), "{unit}");
    }
    // From here on nothing of the source is in reach: libraries are looked for beside the programs only.
    let workshop = Workshop::new(60, "stop: {epochs: 1}\ntrain: {threads: 1}\n");
    let run = ["run", "-c", "config.yaml"];
    let said = well(Command::new(root.join("usr/bin/gleaner")).args(run).current_dir(workshop.path("")));
    assert!(said.contains("ended by stop.epochs: 1 epochs are done"), "{said}");

    well(dpkg(&root).args(["--remove", "gleaner"]));
    assert!(!root.join("usr/bin/gleaner").exists() && !root.join("usr/lib/gleaner").exists());
    assert!(root.join("var/lib/gleaner").exists(), "what was learnt stays");
}
