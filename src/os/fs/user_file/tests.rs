use super::*;

#[test]
fn a_file_that_another_program_wrote_meanwhile_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    fs::write(&path, "{}").unwrap();
    let original = UserFile::read(&path).unwrap();
    fs::write(&path, "{\"auths\":{}}").unwrap();
    assert!(matches!(original.replace(b"ours"), Err(FileError::Changed { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"auths\":{}}");
    fs::remove_file(&path).unwrap();
    assert!(matches!(original.replace(b"ours"), Err(FileError::Changed { .. })));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "no temporary file is left");
}

#[test]
fn a_file_that_another_program_wrote_meanwhile_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    fs::write(&path, "{}").unwrap();
    let original = UserFile::read(&path).unwrap();
    fs::write(&path, "{\"auths\":{}}").unwrap();
    assert!(matches!(original.remove(), Err(FileError::Changed { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"auths\":{}}");
    UserFile::read(&path).unwrap().remove().unwrap();
    assert!(!path.exists());
}

/// Root's `setup` in a home of somebody else's, who has put a link to root's own file there and takes it away.
#[cfg(unix)]
#[test]
fn what_was_read_is_written_though_another_folder_has_its_name_by_now() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (name, mode) in [("private", 0o600), ("open", 0o644)] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("config.json"), "{}").unwrap();
        fs::set_permissions(at(name).join("config.json"), fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink(at("private"), at("link")).unwrap();
    let original = UserFile::read(&at("link").join("config.json")).unwrap();
    fs::remove_file(at("link")).unwrap();
    std::os::unix::fs::symlink(at("open"), at("link")).unwrap();
    original.back_up(&at("link").join("copy"), MayReplace::Anything).unwrap();
    original.replace(b"ours").unwrap();
    for name in ["copy", "config.json"] {
        let found = fs::metadata(at("private").join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(
        fs::read_to_string(at("open").join("config.json")).unwrap(),
        "{}",
        "nothing went where the link leads now"
    );
    assert_eq!(fs::read_dir(at("open")).unwrap().count(), 1);
}

#[test]
fn what_appeared_where_nothing_was_read_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let nothing = UserFile::read(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    assert!(matches!(nothing.replace(b"ours"), Err(FileError::Changed { .. })));
    let copy = directory.path().join("copy");
    fs::write(&copy, "older").unwrap();
    let original = UserFile::read(&path).unwrap();
    assert!(matches!(original.back_up(&copy, MayReplace::Nothing), Err(FileError::Changed { .. })));
    let read = |path| fs::read_to_string(path).unwrap();
    assert_eq!((read(&path), read(&copy)), ("another's".into(), "older".into()));
    original.back_up(&copy, MayReplace::Anything).unwrap();
    assert_eq!(read(&copy), "another's");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn what_stands_in_the_way_of_the_temporary_file_is_no_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let victim = directory.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let temporary = directory.path().join(format!(".config.json.{}.tmp", std::process::id()));
    #[cfg(unix)]
    std::os::unix::fs::symlink(&victim, &temporary).unwrap();
    #[cfg(not(unix))]
    fs::write(&temporary, "").unwrap();
    UserFile::read(&path).unwrap().replace(b"ours").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}
#[cfg(unix)]
#[test]
fn a_copy_that_is_a_link_or_more_closed_gives_nothing_away() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (name, mode) in [("config.json", 0o644), ("private", 0o600)] {
        fs::write(at(name), name).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::symlink(at("private"), at("copy")).unwrap();
    let mut original = UserFile::read(&at("config.json")).unwrap();
    let said = UserFile::read_copy(&at("copy"), &original).unwrap_err().to_string();
    assert!(said.contains("is a link"), "{said}");
    fs::rename(at("private"), at("copy")).unwrap();
    let copy = UserFile::read_copy(&at("copy"), &original).unwrap();
    original.no_more_open_than(&copy);
    original.replace(copy.content.as_deref().unwrap()).unwrap();
    assert_eq!(fs::metadata(at("config.json")).unwrap().permissions().mode() & 0o777, 0o600);
}
