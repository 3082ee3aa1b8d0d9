//! What the service manager is told, message by message: the test is the manager.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::graphs::skilled;
use super::workshop::{BY_ITSELF, Running, Workshop};
use rustix::process::{Pid, Signal, kill_process};

/// The manager's ear.
struct Ear(Arc<Mutex<Vec<String>>>);

impl Ear {
    /// Starts the service with a watchdog of so many microseconds.
    fn with_service(workshop: &Workshop, watchdog: u32) -> (Self, Running) {
        let socket = UnixDatagram::bind(workshop.path("notify")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&heard);
        // It ends with the test program.
        thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(length) = socket.recv(&mut message) {
                let text = String::from_utf8_lossy(&message[..length]);
                all.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        let (path, watchdog) = (workshop.path("notify"), watchdog.to_string());
        let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", &watchdog)];
        (Self(heard), workshop.start_with(&["run", "-c", "config.yaml"], &variables))
    }

    fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits for a message that begins so, from number `from` on; returns its number.
    fn until(&self, service: &mut Running, begin: &str, from: usize) -> usize {
        let place = || self.heard().iter().skip(from).position(|line| line.starts_with(begin));
        from + service.until(begin, place)
    }
}

#[test]
fn a_start_asks_for_more_time_as_it_goes_on() {
    // Signs of life may be given every millisecond, and the pool takes several.
    let workshop = Workshop::new(50_000, BY_ITSELF);
    let (ear, mut service) = Ear::with_service(&workshop, 4000);
    let ready = ear.until(&mut service, "READY=1", 0);
    let before = ear.heard()[..ready].to_vec();
    assert!(before.iter().any(|line| line.starts_with("STATUS=reading ")), "{before:?}");
    assert!(before.iter().any(|line| line == "EXTEND_TIMEOUT_USEC=60000000"), "{before:?}");
    assert!(!before.iter().any(|line| line.starts_with("WATCHDOG")), "nobody listens for it yet: {before:?}");
    ear.until(&mut service, "WATCHDOG=1", ready);
    service.stop().well();
    let after = ear.heard()[ready + 1..].to_vec();
    assert!(!after.iter().any(|line| line.starts_with("EXTEND") || line == "READY=1"), "{after:?}");
    assert_eq!(after.iter().filter(|line| *line == "STOPPING=1").count(), 1, "{after:?}");
}

#[test]
fn while_a_model_is_loaded_the_watchdog_has_patience() {
    let workshop = Workshop::new(60, BY_ITSELF);
    let (ear, mut service) = Ear::with_service(&workshop, 400_000);
    let ready = ear.until(&mut service, "READY=1", 0);
    // While it waits it gives signs of life.
    let first = ear.until(&mut service, "WATCHDOG=1", ready);
    ear.until(&mut service, "WATCHDOG=1", first + 1);
    workshop.drop_in(0, skilled());
    let loading = ear.until(&mut service, "STATUS=loading epoch-0000.onnx", ready);
    let longer = ear.until(&mut service, "WATCHDOG_USEC=1800000000", loading);
    let usual = ear.until(&mut service, "WATCHDOG_USEC=400000", longer);
    ear.until(&mut service, "STATUS=epoch 1 is published", usual);
    service.stop().well();
}

#[test]
fn work_that_hangs_falls_silent_and_a_scan_does_not() {
    let workshop = Workshop::new(3000, &format!("{BY_ITSELF}policy: patent\nmine: {{quota: 1}}\n"));
    // A sign of life may be given every 5 ms.
    let (ear, mut service) = Ear::with_service(&workshop, 20_000);
    let ready = ear.until(&mut service, "READY=1", 0);
    let pipe = workshop.path("lists/reviews.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    workshop.drop_in(0, skilled());
    // Before it chooses it reads the pipe, and hangs.
    ear.until(&mut service, "STATUS=choosing", ready);
    thread::sleep(Duration::from_millis(200));
    let count = || ear.heard().iter().filter(|line| *line == "WATCHDOG=1").count();
    let before = count();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(count(), before, "a hundred could have come");
    // Somebody writes into it, nothing, and the work goes on.
    drop(std::fs::OpenOptions::new().write(true).open(&pipe).unwrap());
    std::fs::remove_file(&pipe).unwrap();
    let scanning = ear.until(&mut service, "STATUS=scanning", ready);
    let published = ear.until(&mut service, "STATUS=epoch 1 is published", scanning);
    let during = ear.heard()[scanning..published].iter().filter(|line| *line == "WATCHDOG=1").count();
    assert!(during >= 5, "{during} signs of life in a scan of 2700 images");
    service.stop().well();
}

#[test]
fn a_reload_has_a_beginning_and_an_end() {
    let workshop = Workshop::new(60, BY_ITSELF);
    let (ear, mut service) = Ear::with_service(&workshop, 4_000_000);
    let ready = ear.until(&mut service, "READY=1", 0);
    let process = Pid::from_raw(service.id().cast_signed()).unwrap();
    kill_process(process, Signal::HUP).unwrap();
    let reloading = ear.until(&mut service, "RELOADING=1", ready + 1);
    assert!(ear.heard()[reloading + 1].starts_with("MONOTONIC_USEC="));
    ear.until(&mut service, "READY=1", reloading);
    service.stop().well();
}

#[test]
fn a_training_step_does_not_speak_for_the_service() {
    let config = "trainer: {command: [sh, -c, env > environment; exit 1], attempts: 1}\n";
    let workshop = Workshop::new(60, config);
    let (_ear, service) = Ear::with_service(&workshop, 4_000_000);
    service.end().badly();
    let environment = workshop.read("environment");
    assert!(environment.contains("GLEANER_EPOCH=0"));
    assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"), "{environment}");
}
