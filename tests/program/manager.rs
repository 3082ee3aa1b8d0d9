//! A service manager of the test's own: a real `systemd --user`, also on a machine that was not booted with one.
//!
//! gleaner runs under it by the units of this project as they are, but for what a drop-in changes: where the program and
//! its folders are, whose it is, how short the watchdog's patience is, and two protections that containers do not allow.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::workshop::{Workshop, until};

const SYSTEMD: &str = "/lib/systemd/systemd";
/// By this folder systemd knows that it is in charge of the machine; without it `systemd --user` does not start.
const BOOTED: &str = "/run/systemd/system";
/// The units' own folder, in the source.
const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");

/// A manager at work; ended when the test ends.
pub(crate) struct Manager {
    home: tempfile::TempDir,
    process: Child,
    /// One manager at a time on a machine: two would put units of one name into one control group, and end each other's.
    _alone: fs::File,
}

/// Says on the terminal, past the harness that keeps what tests print, that something is not tested here.
pub(crate) fn skip(reason: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: {reason}");
}

impl Manager {
    /// Starts one. `None`, said aloud, where systemd is not installed or this user may not start it.
    pub(crate) fn start() -> Option<Self> {
        if !Path::new(SYSTEMD).exists() || Command::new("systemctl").arg("--version").output().is_err() {
            skip("the service is not tested under systemd, which is not installed (apt-get install systemd)");
            return None;
        }
        if let Err(error) = fs::create_dir_all(BOOTED) {
            skip(&format!(
                "the service is not tested under systemd: {BOOTED} is not there and cannot be made: {error}"
            ));
            return None;
        }
        let lock = format!("gleaner-test-manager-{}.lock", rustix::process::getuid().as_raw());
        let alone = fs::File::create(std::env::temp_dir().join(lock)).unwrap();
        alone.lock().unwrap();
        let home = tempfile::tempdir().unwrap();
        for folder in ["run", "config/systemd/user"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        let log = fs::File::create(home.path().join("log")).unwrap();
        let mut command = Command::new(SYSTEMD);
        command.args(["--user", "--log-target=console"]).stdout(Stdio::null()).stderr(log);
        let process = within(&home, &mut command).spawn().unwrap();
        let mut manager = Self { home, process, _alone: alone };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !manager.ask(&["list-units"]).0 {
            let ended = manager.process.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                skip(&format!(
                    "the service is not tested under systemd: no manager can be started ({ended:?}): {}",
                    manager.log()
                ));
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(manager)
    }

    /// Installs `gleaner.service` for a workshop and `gleaner@.service` for the folders in it, with further settings.
    pub(crate) fn install(&self, workshop: &Workshop, settings: &str) {
        let units = self.home.path().join("config/systemd/user");
        for (unit, config, folder) in [("gleaner", "config", ""), ("gleaner@", "%i", "%i")] {
            let name = format!("{unit}.service");
            fs::copy(format!("{UNITS}/{name}"), units.join(&name)).unwrap();
            fs::create_dir_all(units.join(format!("{name}.d"))).unwrap();
            let root = workshop.path("");
            let (root, folder) = (root.display(), workshop.path(folder));
            let drop_in = format!(
                "[Service]\nExecStart=\nExecStart={} run -c {root}{config}.yaml\nWorkingDirectory={}\nUser=\n\
                 StateDirectory=\nReadWritePaths={root}\nPrivateTmp=no\nProtectKernelLogs=no\nProtectKernelTunables=no\n\
                 RestartSec=100ms\nLimitCORE=0\nStandardOutput=append:{root}{config}.log\n\
                 StandardError=append:{root}{config}.log\n{settings}\n",
                env!("CARGO_BIN_EXE_gleaner"),
                folder.display()
            );
            fs::write(units.join(format!("{name}.d/test.conf")), drop_in).unwrap();
        }
        self.systemctl(&["daemon-reload"]);
    }

    /// Installs a further unit file, with a drop-in.
    pub(crate) fn add(&self, unit: &Path, drop_in: &str) {
        let units = self.home.path().join("config/systemd/user");
        let installed = units.join(unit.file_name().unwrap());
        fs::copy(unit, &installed).unwrap();
        let more = installed.with_extension("service.d");
        fs::create_dir_all(&more).unwrap();
        fs::write(more.join("test.conf"), drop_in).unwrap();
        self.systemctl(&["daemon-reload"]);
    }

    /// `systemctl --user` with these arguments, which must end well.
    #[track_caller]
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> String {
        let (well, said) = self.ask(arguments);
        assert!(well, "systemctl {arguments:?}: {said}\n{}", self.log());
        said
    }

    /// One property of a unit.
    #[track_caller]
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", "--value", "-p", name, unit]).trim().to_owned()
    }

    /// Waits until a property of a unit is as it should be.
    pub(crate) fn until(&self, unit: &str, name: &str, holds: impl Fn(&str) -> bool) {
        until(&format!("{name} of {unit}"), || holds(&self.property(unit, name)).then_some(()));
    }

    fn ask(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("systemctl");
        command.arg("--user").args(arguments);
        let output = within(&self.home, &mut command).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

/// Tells a command of the manager's folders.
fn within<'a>(home: &tempfile::TempDir, command: &'a mut Command) -> &'a mut Command {
    command
        .env("XDG_RUNTIME_DIR", home.path().join("run"))
        .env("XDG_CONFIG_HOME", home.path().join("config"))
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
}

impl Drop for Manager {
    fn drop(&mut self) {
        // It ends its units first; one that was killed would leave them running.
        if !self.ask(&["exit"]).0 {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}
