//! `threadlink::thread` means what `std::thread` means.

#[macro_use]
mod semantics;

mod of_std {
    thread_semantics!(std::thread);
}

mod of_threadlink {
    thread_semantics!(threadlink::thread);
}

#[test]
fn std_does_what_is_checked() {
    for (what, check) in of_std::all() {
        println!("{what}");
        check();
    }
}

#[test]
fn threadlink_does_the_same() {
    for (what, check) in of_threadlink::all() {
        println!("{what}");
        check();
    }
}

/// Panics unwind natively, and these cannot be checked in a guest: there they are traps.
mod panics {
    use std::panic::catch_unwind;

    use threadlink::thread;

    #[test]
    fn a_joiner_gets_the_payload() {
        let error = thread::spawn(|| panic!("on purpose")).join().unwrap_err();
        assert_eq!(error.downcast_ref::<&str>(), Some(&"on purpose"));
    }

    #[test]
    fn a_scope_panics_unless_the_panic_was_dealt_with() {
        let dealt_with = catch_unwind(|| {
            thread::scope(|s| assert!(s.spawn(|| panic!("on purpose")).join().is_err()));
        });
        assert!(dealt_with.is_ok());
        let ignored = catch_unwind(|| {
            thread::scope(|s| {
                s.spawn(|| panic!("on purpose"));
            });
        });
        assert!(ignored.is_err());
    }
}
