//! Tries to leave `/work`, and says what each attempt came to. What is outside holds a file `secret`; the
//! links named here were made by the host, some to it.

use wasip1::{
    Errno, Fd, LOOKUPFLAGS_SYMLINK_FOLLOW as FOLLOW, OFLAGS_CREAT, OFLAGS_DIRECTORY,
    RIGHTS_FD_READ, RIGHTS_FD_READDIR, RIGHTS_FD_WRITE, *,
};

const DIR: Fd = 3;

fn say<T>(what: &str, path: &str, result: Result<T, Errno>) {
    match result {
        Ok(_) => println!("{what} {path}: ok"),
        Err(errno) => println!("{what} {path}: {}", errno.name()),
    }
}

fn main() {
    let secrets = [
        "../secret",
        "sub/../../secret",
        "./.././secret",
        "..",
        "/etc/passwd",
        "/",
        "absolute",
        "relative",
        "chain",
        "sub/up",
        "up/secret",
        "sub/up/../secret",
        "loop",
        "loop/x",
        "inside/",
        "inside/.",
        "inside/..",
        "missing/",
        "sub/.",
        "sub///",
        ".",
        "",
        "sub/../inside",
        "good",
    ];
    for path in secrets {
        say("open", path, unsafe {
            path_open(DIR, FOLLOW, path, 0, RIGHTS_FD_READ, 0, 0)
        });
    }
    for path in secrets {
        say("stat", path, unsafe {
            path_filestat_get(DIR, FOLLOW, path)
        });
    }
    for path in [
        "../new",
        "sub/../../new",
        "/new",
        "up/new",
        "absolute",
        "dangling",
        "new/",
    ] {
        say("create", path, unsafe {
            path_open(DIR, FOLLOW, path, OFLAGS_CREAT, RIGHTS_FD_WRITE, 0, 0)
        });
        say("mkdir", path, unsafe { path_create_directory(DIR, path) });
        say("unlink", path, unsafe { path_unlink_file(DIR, path) });
        say("rmdir", path, unsafe { path_remove_directory(DIR, path) });
    }
    for path in ["..", "up", "sub/up", "sub/.."] {
        say("opendir", path, unsafe {
            path_open(DIR, FOLLOW, path, OFLAGS_DIRECTORY, RIGHTS_FD_READDIR, 0, 0)
        });
        say("opendir-nofollow", path, unsafe {
            path_open(DIR, 0, path, OFLAGS_DIRECTORY, RIGHTS_FD_READDIR, 0, 0)
        });
    }
    unsafe {
        say(
            "rename-out",
            "inside",
            path_rename(DIR, "inside", DIR, "../stolen"),
        );
        say(
            "rename-up",
            "inside",
            path_rename(DIR, "inside", DIR, "up/stolen"),
        );
        say(
            "rename-in",
            "../secret",
            path_rename(DIR, "../secret", DIR, "mine"),
        );
        say(
            "link-out",
            "inside",
            path_link(DIR, 0, "inside", DIR, "../stolen"),
        );
        say(
            "link-in",
            "../secret",
            path_link(DIR, 0, "../secret", DIR, "mine"),
        );
        say(
            "link-follow",
            "relative",
            path_link(DIR, FOLLOW, "relative", DIR, "mine"),
        );
        say("symlink", "/etc", path_symlink("/etc", DIR, "etc"));
        say(
            "symlink-out",
            "inside",
            path_symlink("inside", DIR, "../stolen"),
        );
        say(
            "symlink-up",
            "../secret",
            path_symlink("../secret", DIR, "mine"),
        );
        say(
            "open",
            "mine",
            path_open(DIR, FOLLOW, "mine", 0, RIGHTS_FD_READ, 0, 0),
        );
        say("unlink", "mine", path_unlink_file(DIR, "mine"));
        let mut target = [0; 64];
        say(
            "readlink",
            "up/x",
            path_readlink(DIR, "up/x", target.as_mut_ptr(), 64),
        );
        say(
            "times",
            "relative",
            path_filestat_set_times(DIR, FOLLOW, "relative", 1, 1, 5),
        );
        say(
            "times",
            "../secret",
            path_filestat_set_times(DIR, FOLLOW, "../secret", 1, 1, 5),
        );
        // A directory below is its own border: its parent is not reached through it.
        let all = fd_fdstat_get(DIR).unwrap().fs_rights_inheriting;
        let sub = path_open(DIR, 0, "sub", OFLAGS_DIRECTORY, all, all, 0).unwrap();
        say(
            "sub",
            "../inside",
            path_open(sub, FOLLOW, "../inside", 0, RIGHTS_FD_READ, 0, 0),
        );
        say(
            "sub-rename",
            "inside",
            path_rename(DIR, "inside", sub, "moved"),
        );
        say(
            "sub-rename",
            "moved",
            path_rename(sub, "moved", DIR, "inside"),
        );
    }
}
