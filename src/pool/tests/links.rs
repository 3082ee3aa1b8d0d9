//! Symbolic links in a pool.

use super::*;
use std::os::unix::fs::symlink;

#[test]
fn links_are_followed_but_not_in_circles() {
    let elsewhere = tree(&["x.png"]);
    let folder = tree(&["a/y.png"]);
    symlink(elsewhere.path(), folder.path().join("b")).unwrap();
    symlink(elsewhere.path().join("x.png"), folder.path().join("a/z.png")).unwrap();
    let pool = Pool::load(folder.path()).unwrap();
    assert_eq!(samples(&pool), pairs(&[("a/y.png", 0), ("a/z.png", 0), ("b/x.png", 1)]));
    symlink("nowhere", folder.path().join("a/broken")).unwrap();
    assert_eq!(Pool::load(folder.path()).unwrap().len(), 3);
    symlink("nowhere", folder.path().join("a/broken.png")).unwrap();
    assert!(matches!(Pool::load(folder.path()).unwrap_err(), PoolError::Unreadable { .. }));
    fs::remove_file(folder.path().join("a/broken.png")).unwrap();
    symlink("..", folder.path().join("a/back")).unwrap();
    let error = Pool::load(folder.path()).unwrap_err();
    assert!(matches!(&error, PoolError::Loop { path } if path.ends_with("a/back")), "{error}");
    let broken = tree(&["a/line\nbreak.png"]);
    assert!(matches!(Pool::load(broken.path()).unwrap_err(), PoolError::LineBreak { .. }));
}

#[test]
fn links_may_lead_about_in_the_pool_but_not_out_of_it() {
    let elsewhere = tree(&["x.png", "in/y.png"]);
    let folder = tree(&["a/1.png", "b/2.png", "d/4.png"]);
    let link = |to: &Path, at: &str| symlink(to, folder.path().join(at)).unwrap();
    link(Path::new("../a/1.png"), "b/inside.png");
    link(&folder.path().join("d"), "b/folder");
    assert!(Pool::load(folder.path()).unwrap().check_links().is_ok());

    // A list's own word is taken: only what it does not say is looked for.
    let open = format!("a/1.png 0\n{0}/x.png 1\n../{1}/x.png 1\nnowhere/z.png 1\n", elsewhere.path().display(), "no");
    fs::write(folder.path().join("list.txt"), open).unwrap();
    assert!(Pool::load(&folder.path().join("list.txt")).unwrap().check_links().is_ok());

    link(&elsewhere.path().join("x.png"), "a/3.png");
    link(&elsewhere.path().join("in"), "b/out");
    link(elsewhere.path(), "c");
    let told = without(&folder, Pool::load(folder.path()).unwrap().check_links().unwrap_err());
    let place = fs::canonicalize(elsewhere.path()).unwrap();
    assert_eq!(told.len(), 4, "{told:?}");
    for (line, (listed, at)) in told.iter().zip([
        ("a/3.png", "x.png"),
        ("b/out/y.png", "in/y.png"),
        ("c/in/y.png", "in/y.png"),
        ("c/x.png", "x.png"),
    ]) {
        let expected = format!("`{listed}` lies at {} by a symbolic link, outside of ", place.join(at).display());
        assert!(line.contains(&expected) && line.contains("pool.links: anywhere"), "{line}");
    }
    fs::write(folder.path().join("list.txt"), "a/1.png 0\nb/inside.png 1\n\na/3.png 1\n./c/x.png 0\n").unwrap();
    let told = without(&folder, Pool::load(&folder.path().join("list.txt")).unwrap().check_links().unwrap_err());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("list.txt:4: `a/3.png` lies at"), "{told:?}");
    assert!(told[1].starts_with("list.txt:5: `./c/x.png` lies at"), "{told:?}");
}
