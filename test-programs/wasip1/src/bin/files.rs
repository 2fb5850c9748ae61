//! What std does with files, in a directory `/work` that is empty before and after.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

fn main() {
    let work = Path::new("/work");
    let a = work.join("a.txt");

    assert_eq!(File::open(&a).unwrap_err().kind(), ErrorKind::NotFound);
    fs::write(&a, "hello, world").unwrap();
    assert_eq!(fs::read_to_string(&a).unwrap(), "hello, world");

    let mut file = OpenOptions::new().read(true).write(true).open(&a).unwrap();
    assert_eq!(file.seek(SeekFrom::End(-5)).unwrap(), 7);
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "world");
    assert_eq!(file.read(&mut [0; 8]).unwrap(), 0, "past the end");
    assert_eq!(file.seek(SeekFrom::Start(100)).unwrap(), 100);
    assert_eq!(file.read(&mut [0; 8]).unwrap(), 0, "far past the end");
    assert!(file.seek(SeekFrom::Current(-101)).is_err());
    assert_eq!(file.stream_position().unwrap(), 100);
    file.rewind().unwrap();
    file.write_all(b"HELLO").unwrap();
    assert_eq!(file.stream_position().unwrap(), 5);
    file.sync_all().unwrap();
    file.sync_data().unwrap();
    drop(file);
    assert_eq!(fs::read(&a).unwrap(), b"HELLO, world");

    let mut log = OpenOptions::new().append(true).open(&a).unwrap();
    log.write_all(b"!").unwrap();
    log.write_all(b"?").unwrap();
    drop(log);
    assert_eq!(fs::read(&a).unwrap(), b"HELLO, world!?");

    let file = OpenOptions::new().write(true).open(&a).unwrap();
    file.set_len(5).unwrap();
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    file.set_times(FileTimes::new().set_modified(past)).unwrap();
    drop(file);
    let metadata = fs::metadata(&a).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.len(), 5);
    assert_eq!(metadata.modified().unwrap(), past);

    // New, or not at all.
    let exclusive = OpenOptions::new().write(true).create_new(true).open(&a);
    assert_eq!(exclusive.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let read_only = File::open(&a).unwrap();
    assert!((&read_only).write_all(b"x").is_err());

    // Directories.
    let sub = work.join("sub");
    fs::create_dir(&sub).unwrap();
    assert_eq!(
        fs::create_dir(&sub).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    fs::create_dir_all(sub.join("deep/deeper")).unwrap();
    for name in ["three", "one", "two"] {
        fs::write(sub.join(name), name).unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(&sub)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), entry.file_type().unwrap().is_dir()))
        .collect();
    names.sort();
    let expected = [
        ("deep", true),
        ("one", false),
        ("three", false),
        ("two", false),
    ];
    assert_eq!(
        names,
        expected.map(|(name, dir)| (OsStr::new(name).to_owned(), dir))
    );
    // std has no kind for it here.
    let not_empty = wasip1::ERRNO_NOTEMPTY.raw().into();
    assert_eq!(
        fs::remove_dir(&sub).unwrap_err().raw_os_error(),
        Some(not_empty)
    );
    assert!(
        fs::read(&sub).is_err(),
        "a directory cannot be read as a file"
    );
    assert!(fs::read_dir(&a).is_err(), "nor a file as a directory");

    // More entries than one buffer of wasi-libc holds.
    let many = work.join("many");
    fs::create_dir(&many).unwrap();
    for i in 0..300 {
        fs::write(many.join(format!("a-file-with-a-long-name-{i:04}")), "").unwrap();
    }
    assert_eq!(fs::read_dir(&many).unwrap().count(), 300);
    fs::remove_dir_all(&many).unwrap();

    // Names.
    let b = sub.join("b.txt");
    fs::rename(&a, &b).unwrap();
    assert!(!a.exists());
    assert_eq!(fs::copy(&b, &a).unwrap(), 5);
    fs::hard_link(&a, work.join("hard")).unwrap();
    fs::write(&a, "shared").unwrap();
    assert_eq!(fs::read(work.join("hard")).unwrap(), b"shared");

    // Symbolic links inside.
    let link = work.join("link");
    // std makes them only on nightly.
    unsafe { wasip1::path_symlink("sub/b.txt", 3, "link") }.unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("sub/b.txt"));
    assert_eq!(fs::read(&link).unwrap(), b"HELLO");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::metadata(&link).unwrap().is_file());
    assert_eq!(
        fs::read(work.join("sub/../sub/./../link")).unwrap(),
        b"HELLO",
        "`..` is fine as long as it stays inside"
    );
    fs::remove_file(&link).unwrap();
    assert!(b.exists(), "the link went, not what it named");

    fs::remove_dir_all(&sub).unwrap();
    fs::remove_file(&a).unwrap();
    fs::remove_file(work.join("hard")).unwrap();
    assert_eq!(fs::read_dir(work).unwrap().count(), 0);
    println!("files: ok");
}
