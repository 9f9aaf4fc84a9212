//! Trouble is never absence, and nothing outside the root is touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use larder::storage::blocking::BlockingStorage;
use larder::storage::disk::Disk;
use larder::storage::{Depth, Durability, Error};
use tempfile::TempDir;

use crate::help::{
    Home, announce, child, child_home, delete, key, limited_child, open, page, put, say, text,
};

#[test]
fn links_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::create_dir(outside.path().join("empty")).unwrap();
    let home = Home::new();
    home.put("team/x", "value");
    symlink(outside.path().join("secret"), home.file("team/end")).unwrap();
    symlink(outside.path(), home.file("team/middle")).unwrap();
    symlink(outside.path(), home.file("linked")).unwrap();

    for name in
        ["team/end", "team/middle/secret", "linked/secret", "team/middle/none", "team/middle"]
    {
        assert!(home.disk.get(&key(name)).is_err(), "{name}");
        assert!(home.disk.stat(&key(name)).is_err(), "{name}");
    }
    for name in ["team/middle/new", "linked/new", "team/middle/deep/new", "team/end/new"] {
        assert!(put(&home.disk, name, "escaped").is_err(), "{name}");
    }
    for name in ["team/middle/secret", "linked/secret", "team/middle/empty/none"] {
        assert!(delete(&home.disk, name).is_err(), "{name}");
    }
    assert_eq!(home.keys(), ["team/x"]);
    assert_eq!(page(&home.disk, "team", "", Depth::Children).folders, []);
    assert_eq!(home.disk.namespaces().unwrap().len(), 1);

    // A value may take the place of a link, which is the root's own; what it leads to may not.
    home.put("team/end", "mine");
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    assert_eq!(crate::layout::names_in(outside.path()), ["empty", "secret"]);
}

#[test]
fn pipes_and_sockets_neither_hang_nor_look_like_absence() {
    let home = Home::new();
    fs::create_dir(home.file("team")).unwrap();
    let made = Command::new("mkfifo").arg(home.file("team/pipe")).status();
    assert!(made.unwrap().success());
    let _socket = UnixListener::bind(home.file("team/socket")).unwrap();
    for name in ["team/pipe", "team/socket"] {
        assert!(home.disk.get(&key(name)).is_err(), "{name}");
        assert!(home.disk.stat(&key(name)).is_err(), "{name}");
        assert!(home.disk.get(&key(&format!("{name}/below"))).is_err(), "{name}");
    }
    assert_eq!(home.keys(), [""; 0]);
    home.put("team/pipe", "a value now");
    assert_eq!(home.text("team/pipe").as_deref(), Some("a value now"));
}

#[test]
fn a_deleted_root_is_no_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let disk = open(&root);
    put(&disk, "team/x", "value").unwrap();
    fs::remove_dir_all(&root).unwrap();
    for again in [false, true] {
        if again {
            fs::create_dir(&root).unwrap();
        }
        assert!(matches!(disk.get(&key("team/x")), Err(Error::Unavailable { .. })));
        assert!(matches!(disk.stat(&key("team/x")), Err(Error::Unavailable { .. })));
        assert!(disk.namespaces().is_err());
        assert!(put(&disk, "team/x", "value").is_err());
        assert!(delete(&disk, "team/x").is_err());
        let prefix = key("team/x").namespace().everything();
        let limit = std::num::NonZeroUsize::MIN;
        let query = larder::storage::List { prefix, depth: Depth::All, after: None, limit };
        assert!(disk.list(query).is_err());
    }
}

#[test]
fn errors_say_what_and_where_and_why() {
    let home = Home::new();
    symlink("/nowhere", home.file("team")).unwrap();
    let error = home.disk.get(&key("team/x")).unwrap_err();
    let mut told = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        told = format!("{told}: {cause}");
        source = cause.source();
    }
    assert_eq!(
        told,
        "disk store failed: failed to read \"team\": it is a symbolic link, a pipe, a socket or a \
         device, none of which this store follows"
    );
}

#[test]
fn a_root_that_cannot_be_used_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Disk::open(&file, Durability::Full).is_err());
    assert!(Disk::open(file.join("below"), Durability::Full).is_err());
    assert!(Disk::open("", Durability::Full).is_err());
    symlink("/nowhere", dir.path().join(".larder")).unwrap();
    assert!(Disk::open(dir.path(), Durability::Full).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}

/// Such file systems are not at hand, so their answers are: what they would find under a name that
/// was never made.
#[test]
fn a_file_system_that_folds_names_is_refused() {
    for other in ["LARDER", "e\u{301}", "fi"] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".larder/names")).unwrap();
        fs::write(dir.path().join(".larder/names").join(other), "").unwrap();
        let error = Disk::open(dir.path(), Durability::Full).unwrap_err();
        let cause = std::error::Error::source(&error).and_then(std::error::Error::source);
        assert!(cause.unwrap().to_string().contains("takes names for one"), "{error:?}");
    }
}

/// Another user, since nothing is forbidden to the first one.
#[test]
fn forbidden_is_not_absent() {
    let Some((_copy, mut command)) = other_user("trouble::forbidden_child") else { return };
    let home = Home::new();
    home.put("team/open/x", "value");
    home.put("team/shut/x", "value");
    home.put("team/unreadable", "value");
    let mode = |path: &str, mode| {
        fs::set_permissions(home.file(path), PermissionsExt::from_mode(mode)).unwrap();
    };
    for path in [".", "team", "team/open", ".larder", ".larder/tmp", ".larder/locks-1"] {
        mode(path, 0o777);
    }
    for own in [".larder/locks-1", ".larder/names"] {
        for file in crate::layout::names_in(&home.file(own)) {
            mode(&format!("{own}/{file}"), 0o666);
        }
    }
    for lock in crate::layout::names_in(&home.file(".larder/tmp")) {
        mode(&format!(".larder/tmp/{lock}"), 0o777);
    }
    mode("team/shut", 0o700);
    mode("team/unreadable", 0o600);
    let output = command.env("LARDER_TEST_CHILD", home.dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("forbidden: all seen"), "{output:?}");
}

#[test]
#[ignore = "a part of forbidden_is_not_absent"]
fn forbidden_child() {
    let Some(home) = child_home() else { return };
    let disk = open(&home);
    assert_eq!(text(&disk, "team/open/x").unwrap().as_deref(), Some("value"));
    for name in ["team/shut/x", "team/shut/none", "team/unreadable"] {
        assert!(matches!(disk.get(&key(name)), Err(Error::Other { .. })), "{name}");
        assert!(matches!(disk.stat(&key(name)), Err(Error::Other { .. })), "{name}");
    }
    assert!(put(&disk, "team/shut/new", "").is_err());
    assert!(delete(&disk, "team/shut/x").is_err());
    let prefix = key("team/x").namespace().everything();
    let limit = std::num::NonZeroUsize::new(10).unwrap();
    let query = larder::storage::List { prefix, depth: Depth::All, after: None, limit };
    assert!(disk.list(query).is_err(), "a short listing");
    // Folding and unfolding a value that belongs to someone else, which may not be linked to.
    put(&disk, "team/open/x/below", "mine").unwrap();
    assert_eq!(text(&disk, "team/open/x").unwrap().as_deref(), Some("value"));
    delete(&disk, "team/open/x/below").unwrap();
    assert_eq!(fs::read_to_string(home.join("team/open/x")).unwrap(), "value");
    say("forbidden: all seen");
}

#[test]
fn a_folder_that_may_not_be_written_to_is_refused() {
    let Some((_copy, mut command)) = other_user("trouble::refused_child") else { return };
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let output = command.env("LARDER_TEST_CHILD", dir.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("refused: failed to open"), "{output:?}");
}

#[test]
#[ignore = "a part of a_folder_that_may_not_be_written_to_is_refused"]
fn refused_child() {
    let Some(home) = child_home() else { return };
    let error = Disk::open(home, Durability::Full).unwrap_err();
    say(&format!("refused: {}", std::error::Error::source(&error).unwrap()));
}

/// This test program as the user `nobody`, from a copy that this user can reach.
fn other_user(test: &str) -> Option<(TempDir, Command)> {
    const NOBODY: u32 = 65534;
    let mut trial = Command::new("true");
    if trial.uid(NOBODY).gid(NOBODY).status().is_err() {
        announce(&format!("{test}: only root can become another user"));
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = dir.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    Some((dir, command))
}

#[test]
fn too_many_open_files_is_not_absence() {
    let home = Home::new();
    home.put("team/x", "value");
    let mut command = limited_child("ulimit -n 40", "trouble::starving_child", home.dir.path());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("starving: all seen"), "{output:?}");
}

#[test]
#[ignore = "a part of too_many_open_files_is_not_absence"]
fn starving_child() {
    let Some(home) = child_home() else { return };
    let disk = open(&home);
    let mut hoard = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        hoard.push(file);
    }
    assert!(matches!(disk.get(&key("team/x")), Err(Error::Unavailable { .. })));
    assert!(matches!(disk.stat(&key("team/none")), Err(Error::Unavailable { .. })));
    assert!(matches!(put(&disk, "team/new", ""), Err(Error::Unavailable { .. })));
    assert!(matches!(delete(&disk, "team/x"), Err(Error::Unavailable { .. })));
    assert!(matches!(disk.namespaces(), Err(Error::Unavailable { .. })));
    drop(hoard);
    assert_eq!(text(&disk, "team/x").unwrap().as_deref(), Some("value"));
    assert_eq!(crate::help::keys(&disk, "team"), ["team/x"]);
    say("starving: all seen");
}

#[test]
fn a_child_without_an_order_does_nothing() {
    let output = child("trouble::starving_child", std::path::Path::new("/nonexistent")).output();
    assert!(!output.unwrap().status.success());
}
