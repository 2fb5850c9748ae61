//! Every call that std does not make, and every error of those it does. `/work` is empty.

use wasip1::{wasi_snapshot_preview1 as raw, *};

const DIR: Fd = 3;
const ALL_FILE: Rights = RIGHTS_FD_READ
    | RIGHTS_FD_WRITE
    | RIGHTS_FD_SEEK
    | RIGHTS_FD_TELL
    | RIGHTS_FD_ADVISE
    | RIGHTS_FD_ALLOCATE
    | RIGHTS_FD_SYNC
    | RIGHTS_FD_DATASYNC
    | RIGHTS_FD_FDSTAT_SET_FLAGS
    | RIGHTS_FD_FILESTAT_GET
    | RIGHTS_FD_FILESTAT_SET_SIZE
    | RIGHTS_FD_FILESTAT_SET_TIMES
    | RIGHTS_POLL_FD_READWRITE;

#[track_caller]
fn fails<T: std::fmt::Debug>(result: Result<T, Errno>, errno: Errno) {
    match result {
        Ok(value) => panic!("{value:?} instead of {}", errno.name()),
        Err(found) => assert_eq!(found.name(), errno.name()),
    }
}

fn open(name: &str, flags: Oflags, rights: Rights) -> Result<Fd, Errno> {
    unsafe { path_open(DIR, 0, name, flags, rights, 0, 0) }
}

fn create(name: &str) -> Fd {
    open(name, OFLAGS_CREAT, ALL_FILE).unwrap()
}

fn write(fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    let iov = Ciovec {
        buf: bytes.as_ptr(),
        buf_len: bytes.len(),
    };
    unsafe { fd_write(fd, &[iov]) }
}

fn read(fd: Fd, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; len];
    let iov = Iovec {
        buf: bytes.as_mut_ptr(),
        buf_len: len,
    };
    let got = unsafe { fd_read(fd, &[iov]) }?;
    bytes.truncate(got);
    Ok(bytes)
}

fn main() {
    unsafe {
        positions();
        descriptors();
        rights();
        entries();
        wild_pointers();
        limits();
        polling();
        others();
    }
    println!("calls: ok");
}

unsafe fn positions() {
    unsafe {
        let fd = create("f");
        assert_eq!(write(fd, b"0123456789"), Ok(10));
        assert_eq!(fd_tell(fd), Ok(10));
        let mut bytes = [0; 4];
        let iov = Iovec {
            buf: bytes.as_mut_ptr(),
            buf_len: 4,
        };
        assert_eq!(fd_pread(fd, &[iov], 3), Ok(4));
        assert_eq!(&bytes, b"3456");
        assert_eq!(fd_pread(fd, &[iov], 8), Ok(2));
        assert_eq!(fd_pread(fd, &[iov], 99), Ok(0));
        fails(fd_pread(fd, &[iov], u64::MAX), ERRNO_INVAL);
        let iov = Ciovec {
            buf: b"ab".as_ptr(),
            buf_len: 2,
        };
        assert_eq!(fd_pwrite(fd, &[iov, iov], 1), Ok(4));
        assert_eq!(fd_tell(fd), Ok(10), "pread and pwrite leave it");
        assert_eq!(fd_seek(fd, -9, WHENCE_END), Ok(1));
        assert_eq!(read(fd, 5), Ok(b"abab5".to_vec()));
        fails(fd_seek(fd, -100, WHENCE_CUR), ERRNO_INVAL);
        fails(fd_seek(fd, i64::MIN, WHENCE_SET), ERRNO_INVAL);
        assert_eq!(fd_tell(fd), Ok(6), "a failed seek leaves it");
        fd_allocate(fd, 5, 20).unwrap();
        assert_eq!(fd_filestat_get(fd).unwrap().size, 25);
        fd_allocate(fd, 0, 1).unwrap();
        assert_eq!(fd_filestat_get(fd).unwrap().size, 25, "it never shrinks");
        fails(fd_allocate(fd, 0, 0), ERRNO_INVAL);
        fails(fd_allocate(fd, i64::MAX as u64, 1), ERRNO_FBIG);
        fd_filestat_set_size(fd, 3).unwrap();
        assert_eq!(fd_filestat_get(fd).unwrap().size, 3);
        fd_advise(fd, 0, 3, ADVICE_SEQUENTIAL).unwrap();
        fd_sync(fd).unwrap();
        fd_datasync(fd).unwrap();

        // Appending is a flag of the descriptor.
        fd_fdstat_set_flags(fd, FDFLAGS_APPEND | FDFLAGS_SYNC).unwrap();
        assert_eq!(
            fd_fdstat_get(fd).unwrap().fs_flags,
            FDFLAGS_APPEND | FDFLAGS_SYNC
        );
        assert_eq!(fd_seek(fd, 0, WHENCE_SET), Ok(0));
        assert_eq!(write(fd, b"end"), Ok(3));
        assert_eq!(fd_tell(fd), Ok(6));
        fd_fdstat_set_flags(fd, 0).unwrap();
        fails(fd_fdstat_set_flags(fd, 1 << 9), ERRNO_INVAL);

        fd_filestat_set_times(fd, 5, 7, FSTFLAGS_ATIM | FSTFLAGS_MTIM).unwrap();
        assert_eq!(fd_filestat_get(fd).unwrap().mtim, 7);
        fails(
            fd_filestat_set_times(fd, 0, 0, FSTFLAGS_MTIM | FSTFLAGS_MTIM_NOW),
            ERRNO_INVAL,
        );
        path_filestat_set_times(DIR, 0, "f", 0, 0, FSTFLAGS_MTIM_NOW).unwrap();
        let now = clock_time_get(CLOCKID_REALTIME, 1).unwrap();
        let modified = path_filestat_get(DIR, 0, "f").unwrap().mtim;
        assert!(now - modified < 1_000_000, "the guest's own now");

        fd_close(fd).unwrap();
        path_unlink_file(DIR, "f").unwrap();
        // A file without a name is a file.
        let fd = create("g");
        path_unlink_file(DIR, "g").unwrap();
        assert_eq!(write(fd, b"x"), Ok(1));
        fd_close(fd).unwrap();
    }
}

unsafe fn descriptors() {
    unsafe {
        let (a, b) = (create("a"), create("b"));
        assert_eq!((a, b), (4, 5), "the lowest free numbers");
        write(a, b"was a").unwrap();
        fd_renumber(a, b).unwrap();
        fails(fd_tell(a), ERRNO_BADF);
        assert_eq!(fd_tell(b), Ok(5));
        fails(fd_renumber(b, 77), ERRNO_BADF);
        fails(fd_renumber(77, b), ERRNO_BADF);
        fd_renumber(b, b).unwrap();
        fd_close(b).unwrap();
        fails(fd_close(b), ERRNO_BADF);
        fails(read(b, 1), ERRNO_BADF);
        fails(write(b, b"x"), ERRNO_BADF);
        fails(fd_seek(b, 0, WHENCE_SET), ERRNO_BADF);
        fails(fd_filestat_get(b), ERRNO_BADF);
        fails(fd_fdstat_get(u32::MAX), ERRNO_BADF);
        fails(path_open(b, 0, "x", 0, 0, 0, 0), ERRNO_BADF);
        path_unlink_file(DIR, "a").unwrap();
        path_unlink_file(DIR, "b").unwrap();

        // Directories are not files, files are not directories, streams have no positions.
        fails(read(DIR, 1), ERRNO_ISDIR);
        fails(write(DIR, b"x"), ERRNO_BADF);
        fails(fd_seek(DIR, 0, WHENCE_CUR), ERRNO_BADF);
        fails(fd_allocate(DIR, 0, 1), ERRNO_BADF);
        fails(fd_filestat_set_size(DIR, 0), ERRNO_BADF);
        fails(fd_seek(1, 0, WHENCE_CUR), ERRNO_SPIPE);
        fails(fd_tell(0), ERRNO_SPIPE);
        fails(write(0, b"x"), ERRNO_BADF);
        fails(read(1, 1), ERRNO_BADF);
        assert_eq!(
            fd_fdstat_get(1).unwrap().fs_filetype,
            FILETYPE_CHARACTER_DEVICE
        );
        let fd = create("c");
        fails(path_open(fd, 0, "x", 0, 0, 0, 0), ERRNO_NOTDIR);
        fails(fd_readdir(fd, [0u8; 64].as_mut_ptr(), 64, 0), ERRNO_NOTDIR);
        fails(open("c", OFLAGS_DIRECTORY, 0), ERRNO_NOTDIR);
        fails(open("c", OFLAGS_CREAT | OFLAGS_EXCL, 0), ERRNO_EXIST);
        fails(open("d", OFLAGS_CREAT | OFLAGS_DIRECTORY, 0), ERRNO_INVAL);
        fails(open("c", 1 << 7, 0), ERRNO_INVAL);
        fd_close(fd).unwrap();
        path_unlink_file(DIR, "c").unwrap();

        assert!(matches!(fd_prestat_get(DIR), Ok(stat) if stat.u.dir.pr_name_len == 5));
        fails(fd_prestat_get(DIR + 1).map(drop), ERRNO_BADF);
        fails(
            fd_prestat_dir_name(DIR, [0u8; 4].as_mut_ptr(), 4),
            ERRNO_NAMETOOLONG,
        );
        let mut name = [0u8; 9];
        fd_prestat_dir_name(DIR, name.as_mut_ptr(), 9).unwrap();
        assert_eq!(&name, b"/work\0\0\0\0");
    }
}

unsafe fn rights() {
    unsafe {
        let fd = create("r");
        write(fd, b"text").unwrap();
        fd_seek(fd, 0, WHENCE_SET).unwrap();
        let now = fd_fdstat_get(fd).unwrap();
        fd_fdstat_set_rights(fd, now.fs_rights_base & !RIGHTS_FD_WRITE, 0).unwrap();
        fails(write(fd, b"x"), ERRNO_NOTCAPABLE);
        assert_eq!(read(fd, 4), Ok(b"text".to_vec()));
        fails(
            fd_fdstat_set_rights(fd, now.fs_rights_base, 0),
            ERRNO_NOTCAPABLE,
        );
        fd_fdstat_set_rights(fd, RIGHTS_FD_TELL, 0).unwrap();
        fails(read(fd, 1), ERRNO_NOTCAPABLE);
        fails(fd_seek(fd, 1, WHENCE_SET), ERRNO_NOTCAPABLE);
        assert_eq!(fd_seek(fd, 0, WHENCE_CUR), Ok(4), "only asked for");
        fails(fd_sync(fd), ERRNO_NOTCAPABLE);
        fails(fd_filestat_get(fd), ERRNO_NOTCAPABLE);
        fails(fd_advise(fd, 0, 0, ADVICE_NORMAL), ERRNO_NOTCAPABLE);
        fd_close(fd).unwrap();

        // Opened for one thing only.
        let reader = open("r", 0, RIGHTS_FD_READ).unwrap();
        fails(write(reader, b"x"), ERRNO_BADF);
        fails(fd_filestat_set_size(reader, 0), ERRNO_BADF);
        fd_close(reader).unwrap();
        let writer = open("r", 0, RIGHTS_FD_WRITE).unwrap();
        fails(read(writer, 1), ERRNO_BADF);
        fd_close(writer).unwrap();

        // A directory whose descriptor may only open for reading.
        let few = RIGHTS_PATH_OPEN;
        let dir = path_open(DIR, 0, ".", OFLAGS_DIRECTORY, few, RIGHTS_FD_READ, 0).unwrap();
        let fd = path_open(dir, 0, "r", 0, RIGHTS_FD_READ, 0, 0).unwrap();
        assert_eq!(read(fd, 9), Ok(b"text".to_vec()));
        fd_close(fd).unwrap();
        fails(
            path_open(dir, 0, "r", 0, RIGHTS_FD_WRITE, 0, 0),
            ERRNO_NOTCAPABLE,
        );
        fails(
            path_open(dir, 0, "n", OFLAGS_CREAT, 0, 0, 0),
            ERRNO_NOTCAPABLE,
        );
        fails(
            path_open(dir, 0, "r", OFLAGS_TRUNC, 0, 0, 0),
            ERRNO_NOTCAPABLE,
        );
        fails(path_create_directory(dir, "n"), ERRNO_NOTCAPABLE);
        fails(path_unlink_file(dir, "r"), ERRNO_NOTCAPABLE);
        fails(path_remove_directory(dir, "r"), ERRNO_NOTCAPABLE);
        fails(path_rename(dir, "r", DIR, "n"), ERRNO_NOTCAPABLE);
        fails(path_rename(DIR, "r", dir, "n"), ERRNO_NOTCAPABLE);
        fails(path_link(dir, 0, "r", DIR, "n"), ERRNO_NOTCAPABLE);
        fails(path_symlink("r", dir, "n"), ERRNO_NOTCAPABLE);
        fails(path_filestat_get(dir, 0, "r"), ERRNO_NOTCAPABLE);
        fails(
            fd_readdir(dir, [0u8; 64].as_mut_ptr(), 64, 0),
            ERRNO_NOTCAPABLE,
        );
        fd_close(dir).unwrap();

        // With the right to empty it, a file opened without rights is emptied.
        fd_close(open("r", OFLAGS_TRUNC, 0).unwrap()).unwrap();
        assert_eq!(path_filestat_get(DIR, 0, "r").unwrap().size, 0);
        path_unlink_file(DIR, "r").unwrap();
    }
}

/// Names and cookies of one call.
unsafe fn listed(dir: Fd, len: usize, cookie: u64) -> Vec<(String, u64, Filetype)> {
    unsafe {
        let mut bytes = vec![0u8; len];
        let used = fd_readdir(dir, bytes.as_mut_ptr(), len, cookie).unwrap();
        assert!(used <= len);
        let mut entries = Vec::new();
        let mut rest = &bytes[..used];
        while rest.len() >= size_of::<Dirent>() {
            let entry = rest.as_ptr().cast::<Dirent>().read_unaligned();
            rest = &rest[size_of::<Dirent>()..];
            let Some(name) = rest.get(..entry.d_namlen as usize) else {
                break;
            };
            entries.push((
                String::from_utf8(name.to_vec()).unwrap(),
                entry.d_next,
                entry.d_type,
            ));
            rest = &rest[name.len()..];
        }
        entries
    }
}

unsafe fn entries() {
    unsafe {
        for name in ["c", "a", "b"] {
            fd_close(create(name)).unwrap();
        }
        path_create_directory(DIR, "d").unwrap();
        path_symlink("a", DIR, "e").unwrap();
        let all = listed(DIR, 4096, 0);
        let names: Vec<&str> = all.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, [".", "..", "a", "b", "c", "d", "e"]);
        assert_eq!(all[2].2, FILETYPE_REGULAR_FILE);
        assert_eq!(all[5].2, FILETYPE_DIRECTORY);
        assert_eq!(all[6].2, FILETYPE_SYMBOLIC_LINK);
        // From any cookie on, also through buffers that hold one entry and a bit.
        for (at, (_, cookie, _)) in all.iter().enumerate() {
            assert_eq!(listed(DIR, 4096, *cookie), all[at + 1..]);
        }
        let (mut cookie, mut slowly) = (0, Vec::new());
        loop {
            let some = listed(DIR, 30, cookie);
            let Some(last) = some.last() else { break };
            cookie = last.1;
            slowly.extend(some);
        }
        assert_eq!(slowly, all);
        assert_eq!(listed(DIR, 0, 0), []);
        assert_eq!(listed(DIR, 4096, 99), []);
        assert_eq!(listed(DIR, 4096, u64::MAX), []);
        // What is there is seen when it is read from the beginning.
        path_unlink_file(DIR, "a").unwrap();
        assert_eq!(listed(DIR, 4096, 6).len(), 1, "cookies stay good");
        assert_eq!(listed(DIR, 4096, 0).len(), 6);
        let inode = path_filestat_get(DIR, 0, "b").unwrap().ino;
        path_link(DIR, 0, "b", DIR, "h").unwrap();
        let linked = path_filestat_get(DIR, 0, "h").unwrap();
        assert_eq!((linked.ino, linked.nlink), (inode, 2));

        let mut target = [0u8; 4];
        assert_eq!(path_readlink(DIR, "e", target.as_mut_ptr(), 4), Ok(1));
        fails(path_readlink(DIR, "b", target.as_mut_ptr(), 4), ERRNO_INVAL);
        fails(path_unlink_file(DIR, "d"), ERRNO_ISDIR);
        fails(path_remove_directory(DIR, "b"), ERRNO_NOTDIR);
        fails(path_rename(DIR, "nothing", DIR, "n"), ERRNO_NOENT);
        for name in ["b", "c", "e", "h"] {
            path_unlink_file(DIR, name).unwrap();
        }
        path_remove_directory(DIR, "d").unwrap();
    }
}

unsafe fn wild_pointers() {
    unsafe {
        const WILD: i32 = -16;
        const FAULT: i32 = 21;
        let fd = create("w");
        write(fd, b"text").unwrap();
        fd_seek(fd, 0, WHENCE_SET).unwrap();
        let f = fd as i32;
        let mut word = 0u64;
        let out = &raw mut word as i32;
        let iov = Iovec {
            buf: &raw mut word as *mut u8,
            buf_len: 4,
        };
        let good = &raw const iov as i32;
        let bad_iov = Iovec {
            buf: WILD as u32 as *mut u8,
            buf_len: 32,
        };
        let bad = &raw const bad_iov as i32;
        assert_eq!(raw::fd_read(f, bad, 1, out), FAULT);
        assert_eq!(raw::fd_read(f, WILD, 4, out), FAULT);
        assert_eq!(raw::fd_read(f, good, 1, WILD + 14), FAULT);
        assert_eq!(raw::fd_pread(f, bad, 1, 0, out), FAULT);
        assert_eq!(fd_tell(fd), Ok(0), "the host was not asked");
        assert_eq!(raw::fd_write(f, bad, 1, out), FAULT);
        assert_eq!(raw::fd_write(f, good, 1, WILD + 14), FAULT);
        assert_eq!(raw::fd_pwrite(f, bad, 1, 0, out), FAULT);
        assert_eq!(
            fd_filestat_get(fd).unwrap().size,
            4,
            "the host was not asked"
        );
        assert_eq!(raw::fd_seek(f, 2, 0, WILD + 14), FAULT);
        assert_eq!(fd_tell(fd), Ok(0));
        assert_eq!(raw::fd_tell(f, WILD + 14), FAULT);
        assert_eq!(raw::fd_filestat_get(f, WILD), FAULT);
        assert_eq!(raw::fd_fdstat_get(f, WILD), FAULT);
        assert_eq!(raw::fd_prestat_get(3, WILD + 14), FAULT);
        assert_eq!(raw::fd_prestat_dir_name(3, WILD + 14, 5), FAULT);
        assert_eq!(raw::fd_readdir(3, WILD, 64, 0, out), FAULT);
        assert_eq!(raw::fd_readdir(3, out, 8, 0, WILD + 14), FAULT);
        assert_eq!(raw::path_create_directory(3, WILD, 32), FAULT);
        assert_eq!(raw::path_filestat_get(3, 0, WILD, 32, out), FAULT);
        let name = c"n".as_ptr() as i32;
        assert_eq!(raw::path_open(3, 0, name, 1, 1, 2, 0, 0, WILD + 14), FAULT);
        fails(path_filestat_get(DIR, 0, "n"), ERRNO_NOENT);
        assert_eq!(raw::path_readlink(3, name, 1, WILD, 32, out), FAULT);
        assert_eq!(raw::path_rename(3, name, 1, 3, WILD, 32), FAULT);
        assert_eq!(raw::path_symlink(WILD, 32, 3, name, 1), FAULT);
        assert_eq!(raw::poll_oneoff(WILD, out, 1, out), FAULT);
        assert_eq!(raw::random_get(WILD, 32), FAULT);
        assert_eq!(raw::args_get(WILD + 14, WILD + 14), FAULT);
        assert_eq!(raw::args_sizes_get(WILD + 14, WILD + 14), FAULT);
        assert_eq!(raw::clock_time_get(0, 0, WILD + 14), FAULT);
        assert_eq!(raw::clock_res_get(0, WILD + 14), FAULT);
        fd_close(fd).unwrap();
        path_unlink_file(DIR, "w").unwrap();
    }
}

unsafe fn limits() {
    unsafe {
        let mut open_files = vec![create("l")];
        let refused = loop {
            match open("l", 0, RIGHTS_FD_READ) {
                Ok(fd) => open_files.push(fd),
                Err(errno) => break errno,
            }
        };
        assert_eq!(refused, ERRNO_MFILE);
        assert_eq!(open_files.len(), 1024 - 4);
        for fd in open_files {
            fd_close(fd).unwrap();
        }
        fd_close(open("l", 0, RIGHTS_FD_READ).unwrap()).unwrap();

        let long = "x".repeat(5000);
        fails(path_filestat_get(DIR, 0, &long), ERRNO_NAMETOOLONG);
        fails(path_filestat_get(DIR, 0, &long[..300]), ERRNO_NAMETOOLONG);
        fails(path_filestat_get(DIR, 0, "l\0"), ERRNO_INVAL);
        let bytes = [0xffu8, 0xfe];
        assert_eq!(
            raw::path_create_directory(DIR as i32, bytes.as_ptr() as i32, 2),
            25,
            "ilseq"
        );
        let mut byte = [0u8];
        let iov = Iovec {
            buf: byte.as_mut_ptr(),
            buf_len: 0,
        };
        let fd = open("l", 0, RIGHTS_FD_READ).unwrap();
        fails(fd_read(fd, &vec![iov; 1025]), ERRNO_INVAL);
        assert_eq!(fd_read(fd, &vec![iov; 1024]), Ok(0));
        assert_eq!(fd_read(fd, &[]), Ok(0));
        fd_close(fd).unwrap();
        path_unlink_file(DIR, "l").unwrap();
    }
}

fn clock(userdata: u64, id: Clockid, timeout: u64, flags: Subclockflags) -> Subscription {
    let clock = SubscriptionClock {
        id,
        timeout,
        precision: 0,
        flags,
    };
    Subscription {
        userdata,
        u: SubscriptionU {
            tag: EVENTTYPE_CLOCK.raw(),
            u: SubscriptionUU { clock },
        },
    }
}

fn readable(userdata: u64, fd: Fd) -> Subscription {
    let fd_read = SubscriptionFdReadwrite {
        file_descriptor: fd,
    };
    Subscription {
        userdata,
        u: SubscriptionU {
            tag: EVENTTYPE_FD_READ.raw(),
            u: SubscriptionUU { fd_read },
        },
    }
}

unsafe fn poll(subscriptions: &[Subscription]) -> Result<Vec<Event>, Errno> {
    unsafe {
        let mut events = vec![std::mem::zeroed::<Event>(); subscriptions.len()];
        let n = poll_oneoff(
            subscriptions.as_ptr(),
            events.as_mut_ptr(),
            subscriptions.len(),
        )?;
        events.truncate(n);
        Ok(events)
    }
}

unsafe fn polling() {
    unsafe {
        const SECOND: u64 = 1_000_000_000;
        let now = || clock_time_get(CLOCKID_MONOTONIC, 1).unwrap();
        let ids = |events: &[Event]| {
            events
                .iter()
                .map(|event| event.userdata)
                .collect::<Vec<_>>()
        };

        // Relative; the first of several.
        let before = now();
        let events = poll(&[
            clock(1, CLOCKID_MONOTONIC, 9 * SECOND, 0),
            clock(2, CLOCKID_REALTIME, 2 * SECOND, 0),
            clock(3, CLOCKID_MONOTONIC, 5 * SECOND, 0),
        ]);
        assert_eq!(ids(&events.unwrap()), [2]);
        assert!((2 * SECOND..2 * SECOND + SECOND / 10).contains(&(now() - before)));

        // Absolute, on both clocks; in the past.
        let absolute = SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;
        let at = now() + 3 * SECOND;
        assert_eq!(
            ids(&poll(&[clock(4, CLOCKID_MONOTONIC, at, absolute)]).unwrap()),
            [4]
        );
        assert!((at..at + SECOND / 10).contains(&now()));
        let wall = || clock_time_get(CLOCKID_REALTIME, 1).unwrap();
        let at = wall() + 3 * SECOND;
        assert_eq!(
            ids(&poll(&[clock(5, CLOCKID_REALTIME, at, absolute)]).unwrap()),
            [5]
        );
        assert!((at..at + SECOND / 10).contains(&wall()));
        let before = now();
        let past = [
            clock(6, CLOCKID_MONOTONIC, 1, absolute),
            clock(7, CLOCKID_REALTIME, 0, 0),
        ];
        assert_eq!(ids(&poll(&past).unwrap()), [6, 7]);
        assert!(now() - before < SECOND / 10);

        // A descriptor is ready before any clock.
        let fd = create("p");
        write(fd, b"12345").unwrap();
        fd_seek(fd, 2, WHENCE_SET).unwrap();
        let events = poll(&[clock(8, CLOCKID_MONOTONIC, SECOND, 0), readable(9, fd)]).unwrap();
        assert_eq!(ids(&events), [9]);
        assert_eq!(
            (events[0].error, events[0].fd_readwrite.nbytes),
            (ERRNO_SUCCESS, 3)
        );
        fd_close(fd).unwrap();
        let events = poll(&[readable(10, fd), readable(11, 0)]).unwrap();
        assert_eq!(ids(&events), [10, 11]);
        assert_eq!(
            (events[0].error, events[1].error),
            (ERRNO_BADF, ERRNO_SUCCESS)
        );
        path_unlink_file(DIR, "p").unwrap();

        fails(poll(&[]).map(drop), ERRNO_INVAL);
        let unknown = std::mem::transmute::<u32, Clockid>(9);
        fails(poll(&[clock(0, unknown, 0, 0)]).map(drop), ERRNO_INVAL);
        fails(
            poll(&vec![clock(0, CLOCKID_MONOTONIC, 0, 0); 4097]).map(drop),
            ERRNO_INVAL,
        );
    }
}

unsafe fn others() {
    unsafe {
        sched_yield().unwrap();
        proc_raise_ignored();
        fails(sock_shutdown(1, SDFLAGS_RD), ERRNO_NOTSOCK);
        fails(sock_shutdown(77, SDFLAGS_RD), ERRNO_BADF);
        fails(sock_accept(3, 0), ERRNO_NOTSOCK);
        let mut byte = [0u8];
        let iov = Iovec {
            buf: byte.as_mut_ptr(),
            buf_len: 1,
        };
        fails(sock_recv(0, &[iov], 0), ERRNO_NOTSOCK);
        let iov = Ciovec {
            buf: byte.as_ptr(),
            buf_len: 1,
        };
        fails(sock_send(77, &[iov], 0), ERRNO_BADF);
        let (mut a, mut b) = ([0u8; 33], [0u8; 33]);
        random_get(a.as_mut_ptr(), 33).unwrap();
        random_get(b.as_mut_ptr(), 33).unwrap();
        assert_ne!(a, b);
        assert_eq!(clock_res_get(CLOCKID_MONOTONIC), Ok(1));

        // A preopen can be closed like any other.
        fd_close(DIR).unwrap();
        fails(path_filestat_get(DIR, 0, "."), ERRNO_BADF);
        fails(fd_prestat_get(DIR).map(drop), ERRNO_BADF);
    }
}

unsafe fn proc_raise_ignored() {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn proc_raise(signal: i32) -> i32;
    }
    unsafe {
        assert_eq!(proc_raise(16), 0, "chld is ignored");
        assert_eq!(proc_raise(18), 58, "nobody can continue what stops");
        assert_eq!(proc_raise(99), 28);
    }
}
