//! The disk fills up while a list is written.

use std::fs;
use std::io::Write as _;

use super::graphs::skilled;
use super::small_disk::SmallDisk;
use super::workshop::{BY_ITSELF, Workshop};

#[test]
fn the_last_good_list_stays_and_a_start_with_space_continues() {
    let Some(disk) = SmallDisk::mount("size=1m") else { return };
    let lists = disk.path().join("lists");
    let config = format!(
        "{BY_ITSELF}policy: uniform\ninitial: {{fraction: 0.01}}\nmine: {{quota: 1.0}}\nlists: {{folder: {}}}\n",
        lists.display()
    );
    let workshop = Workshop::new(1500, &config);
    let mut service = workshop.serve();
    service.until_said("waiting for the checkpoint");
    let before = fs::read(lists.join("next.txt")).unwrap();
    // What is left holds the manifest of the first list many times, but not that of 1,500 images.
    let filler = disk.path().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    file.set_len(file.metadata().unwrap().len() - 40_960).unwrap();
    drop(file);
    workshop.drop_in(0, skilled());
    let said = service.end().badly();
    let manifest = lists.join("epoch-0001.csv");
    assert!(said.contains(&format!("{}: cannot be written: No space left on device", manifest.display())), "{said}");
    assert!(said.contains("free some space"), "{said}");
    assert_eq!(fs::read(lists.join("next.txt")).unwrap(), before);
    assert!(!manifest.exists() && !lists.join("epoch-0001.txt").exists());
    let names = fs::read_dir(&lists).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = names.filter(|name| name.contains("tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(workshop.status()["standing"], "epoch 0 is trained, the next list is due");

    // Once more without space: the same, and still nothing is lost.
    workshop.serve().end().badly();
    assert_eq!(fs::read(lists.join("next.txt")).unwrap(), before);

    fs::remove_file(filler).unwrap();
    let mut service = workshop.serve();
    let expected = lists.join("epoch-0001.txt");
    service.until("the next list", || {
        let next = fs::read(lists.join("next.txt")).unwrap();
        fs::read(&expected).is_ok_and(|list| list == next).then_some(())
    });
    assert_eq!(fs::read_to_string(&expected).unwrap().lines().count(), 1500);
    service.stop().well();
}
