//! Functions in which threads wait: what for, of which type that is, and which of their parameters says where it is.
//!
//! One table serves twice. A function of the module with such a name and a parameter that says which object it is about is
//! an interceptor (see [`super::interceptors`]): the machine knows what a blocked thread waits for, and who used the
//! object before. Where the compiler inlined that function, its name is in the debug information, or a function within
//! (a closure, the library's own parker) is still called: then a report knows what the thread waits for, but not where it is.
//!
//! The functions that have roles of their own (those of pthreads, and the locks that are words) are not here.

use crate::model::WaitKind;
use WaitKind::*;
use std::borrow::Cow;
use wasmparser::{FuncType, ValType};

/// How to get the address of what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Object {
    /// The function's name only says what kind of thing it is.
    Unknown,
    /// It is the first parameter.
    First,
    /// It is `self`: the first parameter but for a pointer to where the result goes, which comes before it if there
    /// is no other result.
    Receiver,
    /// `self` points to something that has the address so many bytes from its beginning.
    Behind(u32),
    /// The function is a closure. The first parameter points to what it captured, of which only the channel is in a cache line
    /// of its own.
    Captured,
}

/// How a parameter leads to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// It is the address.
    Itself,
    /// The address is in memory, so many bytes behind where it points.
    Behind(u32),
    /// The address is the first word behind where it points that is a multiple of 64.
    CacheLine,
}

/// A function in which threads wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wait {
    /// Its path, without generic arguments.
    function: &'static str,
    /// What programs call the type of what they wait for.
    pub of: &'static str,
    /// What has to happen.
    pub kind: WaitKind,
    object: Object,
    /// It waits for nothing, but uses the object as those do that wait.
    pub never_waits: bool,
}

const fn wait(function: &'static str, of: &'static str, kind: WaitKind, object: Object) -> Wait {
    Wait {
        function,
        of,
        kind,
        object,
        never_waits: false,
    }
}

const fn uses(function: &'static str, of: &'static str, kind: WaitKind, object: Object) -> Wait {
    Wait {
        never_waits: true,
        ..wait(function, of, kind, object)
    }
}

use Object::{Behind, Captured, First, Receiver, Unknown};

const MPSC: &str = "std::sync::mpsc";
const CROSSBEAM: &str = "crossbeam_channel";
const TOKIO_MPSC: &str = "tokio::sync::mpsc";

/// A sender or receiver of std and crossbeam is the kind of its channel, and then the channel's address.
const CHANNEL: Object = Behind(4);

/// Of functions that call each other, the outermost counts.
#[rustfmt::skip]
const TABLE: &[Wait] = &[
    // Channels. What is inlined into what depends on the level of optimisation.
    wait("std::sync::mpsc::SyncSender::send", MPSC, ChannelFull, CHANNEL),
    uses("std::sync::mpsc::Sender::send", MPSC, ChannelFull, CHANNEL),
    wait("std::sync::mpsc::Receiver::recv", MPSC, ChannelEmpty, CHANNEL),
    wait("std::sync::mpmc::Sender::send", MPSC, ChannelFull, CHANNEL),
    wait("std::sync::mpmc::Receiver::recv", MPSC, ChannelEmpty, CHANNEL),
    wait("std::sync::mpmc::array::Channel::send", MPSC, ChannelFull, Receiver),
    wait("std::sync::mpmc::array::Channel::recv", MPSC, ChannelEmpty, Receiver),
    uses("std::sync::mpmc::list::Channel::send", MPSC, ChannelFull, Receiver),
    wait("std::sync::mpmc::list::Channel::recv", MPSC, ChannelEmpty, Receiver),
    wait("std::sync::mpmc::zero::Channel::send", MPSC, ChannelRendezvous, Receiver),
    wait("std::sync::mpmc::zero::Channel::recv", MPSC, ChannelEmpty, Receiver),
    wait("crossbeam_channel::channel::Sender::send", CROSSBEAM, ChannelFull, CHANNEL),
    wait("crossbeam_channel::channel::Receiver::recv", CROSSBEAM, ChannelEmpty, CHANNEL),
    wait("crossbeam_channel::flavors::array::Channel::send", CROSSBEAM, ChannelFull, Receiver),
    wait("crossbeam_channel::flavors::array::Channel::recv", CROSSBEAM, ChannelEmpty, Receiver),
    uses("crossbeam_channel::flavors::list::Channel::send", CROSSBEAM, ChannelFull, Receiver),
    wait("crossbeam_channel::flavors::list::Channel::recv", CROSSBEAM, ChannelEmpty, Receiver),
    wait("crossbeam_channel::flavors::zero::Channel::send", CROSSBEAM, ChannelRendezvous, Receiver),
    wait("crossbeam_channel::flavors::zero::Channel::recv", CROSSBEAM, ChannelEmpty, Receiver),
    wait("std::sync::mpmc::array::Channel::send::{closure}", MPSC, ChannelFull, Captured),
    wait("std::sync::mpmc::array::Channel::recv::{closure}", MPSC, ChannelEmpty, Captured),
    wait("std::sync::mpmc::list::Channel::recv::{closure}", MPSC, ChannelEmpty, Captured),
    wait("crossbeam_channel::flavors::array::Channel::send::{closure}", CROSSBEAM, ChannelFull, Captured),
    wait("crossbeam_channel::flavors::array::Channel::recv::{closure}", CROSSBEAM, ChannelEmpty, Captured),
    wait("crossbeam_channel::flavors::list::Channel::recv::{closure}", CROSSBEAM, ChannelEmpty, Captured),
    wait("crossbeam_channel::select::run_select", CROSSBEAM, Select, Unknown),
    wait("crossbeam_channel::select::Select::select", CROSSBEAM, Select, Unknown),
    wait("flume::Sender::send", "flume", ChannelFull, Behind(0)),
    wait("flume::Receiver::recv", "flume", ChannelEmpty, Behind(0)),
    wait("flume::Shared::send_sync", "flume", ChannelFull, Unknown),
    wait("flume::Shared::recv_sync", "flume", ChannelEmpty, Unknown),
    wait("flume::signal::SyncSignal::wait", "flume", Select, Unknown),
    wait("async_channel::Sender::send_blocking", "async_channel", ChannelFull, Unknown),
    wait("async_channel::Receiver::recv_blocking", "async_channel", ChannelEmpty, Unknown),
    wait("tokio::sync::mpsc::bounded::Sender::blocking_send", TOKIO_MPSC, ChannelFull, Behind(0)),
    wait("tokio::sync::mpsc::bounded::Receiver::blocking_recv", TOKIO_MPSC, ChannelEmpty, Behind(0)),
    wait("tokio::sync::mpsc::unbounded::UnboundedReceiver::blocking_recv", TOKIO_MPSC, ChannelEmpty, Behind(0)),
    wait("tokio::sync::oneshot::Receiver::blocking_recv", "tokio::sync::oneshot", ChannelEmpty, Unknown),

    // Condition variables: those of std are in other places in older versions.
    wait("std::sys::sync::condvar::futex::Condvar::wait", "std::sync::Condvar", Condvar, First),
    wait("std::sys::sync::condvar::futex::Condvar::wait_optional_timeout", "std::sync::Condvar", Condvar, First),
    wait("std::sys::unix::locks::futex_condvar::Condvar::wait", "std::sync::Condvar", Condvar, First),
    wait("std::sys::unix::locks::futex_condvar::Condvar::wait_optional_timeout", "std::sync::Condvar", Condvar, First),
    wait("std::sync::poison::condvar::Condvar::wait", "std::sync::Condvar", Condvar, Unknown),
    wait("std::sync::condvar::Condvar::wait", "std::sync::Condvar", Condvar, Unknown),
    wait("parking_lot::condvar::Condvar::wait_until_internal", "parking_lot::Condvar", Condvar, Receiver),
    wait("Thread.Condition.FutexImpl.wait", "std.Thread.Condition", Condvar, First),

    // What is initialised once.
    wait("std::sys::sync::once::futex::Once::call", "std::sync::Once", Once, First),
    wait("std::sys::sync::once::futex::Once::wait", "std::sync::Once", Once, First),
    wait("std::sys_common::once::futex::Once::call", "std::sync::Once", Once, First),
    wait("parking_lot::once::Once::call_once_slow", "parking_lot::Once", Once, First),
    wait("once_cell::imp::initialize_or_wait", "once_cell::sync::OnceCell", Once, First),

    // Meetings.
    wait("std::sync::barrier::Barrier::wait", "std::sync::Barrier", Barrier, Receiver),
    wait("std::thread::scoped::scope", "std::thread::scope", Scope, Unknown),
    wait("crossbeam_utils::sync::wait_group::WaitGroup::wait", "crossbeam WaitGroup", Event, Unknown),
    wait("Thread.Semaphore.wait", "std.Thread.Semaphore", Semaphore, First),
    wait("Thread.ResetEvent.FutexImpl.wait", "std.Thread.ResetEvent", Event, First),
    wait("Thread.WaitGroup.wait", "std.Thread.WaitGroup", Event, First),

    // Parking. What is built on it is above: a thread that is parked by its own will is in no other.
    wait("std::thread::thread::Thread::park", "std::thread::park", Park, Unknown),
    wait("std::thread::functions::park", "std::thread::park", Park, Unknown),
    wait("std::thread::Thread::park", "std::thread::park", Park, Unknown),
    wait("std::thread::park", "std::thread::park", Park, Unknown),
    wait("crossbeam_utils::sync::parker::Parker::park", "crossbeam Parker", Park, Unknown),
    wait("parking::Parker::park", "parking::Parker", Park, Unknown),

    // Locks for tasks, taken by threads; and threads that run tasks.
    wait("tokio::sync::mutex::Mutex::blocking_lock", "tokio::sync::Mutex", Lock, Receiver),
    wait("tokio::sync::rwlock::RwLock::blocking_read", "tokio::sync::RwLock", Lock, Receiver),
    wait("tokio::sync::rwlock::RwLock::blocking_write", "tokio::sync::RwLock", Lock, Receiver),
    wait("async_lock::mutex::Mutex::lock_blocking", "async_lock::Mutex", Lock, Receiver),
    wait("async_lock::rwlock::RwLock::read_blocking", "async_lock::RwLock", Lock, Receiver),
    wait("async_lock::rwlock::RwLock::write_blocking", "async_lock::RwLock", Lock, Receiver),
    wait("async_lock::semaphore::Semaphore::acquire_blocking", "async_lock::Semaphore", Semaphore, Receiver),
    wait("tokio::runtime::park::CachedParkThread::block_on", "tokio", Future, Unknown),
    wait("tokio::runtime::park::CachedParkThread::park", "tokio", Future, Unknown),
    wait("tokio::runtime::park::Inner::park", "tokio", Future, Unknown),
    wait("tokio::runtime::runtime::Runtime::block_on", "tokio", Future, Unknown),
    wait("tokio::runtime::scheduler::current_thread::Context::park", "tokio", Future, Unknown),
    wait("tokio::runtime::scheduler::multi_thread::park::Inner::park", "tokio", Work, Unknown),
    wait("tokio::runtime::scheduler::multi_thread::worker::Context::park", "tokio", Work, Unknown),
    wait("tokio::runtime::blocking::pool::Inner::run", "tokio", Work, Unknown),
    wait("futures_executor::local_pool::block_on", "futures", Future, Unknown),
    wait("futures_executor::local_pool::run_executor", "futures", Future, Unknown),
    wait("futures_lite::future::block_on", "futures_lite", Future, Unknown),
    wait("pollster::block_on", "pollster", Future, Unknown),
    wait("pollster::Signal::wait", "pollster", Future, Unknown),
    wait("event_listener::EventListener::wait", "event_listener", Event, Unknown),

    // Thread pools.
    wait("rayon_core::sleep::Sleep::sleep", "rayon", Work, Unknown),
    wait("rayon_core::latch::LockLatch::wait", "rayon", Job, Unknown),
    wait("rayon_core::latch::LockLatch::wait_and_reset", "rayon", Job, Unknown),
];

impl Wait {
    /// Which parameter leads to what is waited for, and how, in a function of this type; `None` if none does.
    fn parameter(&self, ty: &FuncType) -> Option<(u8, At)> {
        let receiver = u8::from(ty.results().is_empty());
        let (parameter, at) = match self.object {
            Unknown => return None,
            First => (0, At::Itself),
            Receiver => (receiver, At::Itself),
            Behind(offset) => (receiver, At::Behind(offset)),
            Captured => (0, At::CacheLine),
        };
        let is_i32 = ty.params().get(usize::from(parameter)) == Some(&ValType::I32);
        is_i32.then_some((parameter, at))
    }

    /// Whether this file of this crate has the function, if that is its last name.
    fn is_in_file(&self, last: &str, library: &str, file: &str) -> bool {
        let parts: Vec<&str> = self.function.split("::").collect();
        let [own, path @ .., name] = &parts[..] else {
            return false;
        };
        if *own != library || *name != last {
            return false;
        }
        let is_module = |part: &&str| !part.starts_with(|c: char| c.is_ascii_uppercase());
        let modules: Vec<&str> = path.iter().copied().take_while(is_module).collect();
        let path = modules.join("/");
        let file = file.replace('\\', "/");
        let is = |end: &str| {
            file.strip_suffix(end)
                .is_some_and(|rest| rest.ends_with("/src/"))
        };
        match modules[..] {
            [] => is("lib.rs"),
            _ => is(&format!("{path}.rs")) || is(&format!("{path}/mod.rs")),
        }
    }
}

/// What a function with this name waits for, the parameter that leads to it, and how.
pub(super) fn intercepted(name: &str, ty: &FuncType) -> Option<(&'static Wait, u8, At)> {
    let path = path(name);
    // `{closure#0}` or `{{closure}}`.
    let path = match path.split_once("::{") {
        Some((function, _)) => Cow::Owned(format!("{function}::{{closure}}")),
        None => path,
    };
    let wait = TABLE.iter().find(|wait| wait.function == path)?;
    let (parameter, at) = wait.parameter(ty)?;
    Some((wait, parameter, at))
}

/// What a thread waits for that is in this function, or in a closure of it. Line tables call a function that was inlined by its
/// last name only; then its file tells the rest.
pub(crate) fn of_function(name: &str, file: Option<&str>) -> Option<&'static Wait> {
    let path = path(name);
    let mut known = TABLE.iter().filter(|wait| !wait.never_waits);
    // A whole path, or Zig's.
    if path.contains([':', '.']) {
        return known.find(|wait| {
            let rest = path.strip_prefix(wait.function);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::{"))
        });
    }
    let file = file?;
    let library = library_of(file)?;
    known.find(|wait| wait.is_in_file(&path, &library, file))
}

/// Whether a function is of a crate that has functions in the table, or of the standard library.
pub(crate) fn is_of_library(name: &str, file: Option<&str>) -> bool {
    let of_path = |path: &str| path.split(['.', ':']).next().map(str::to_owned);
    let Some(library) = file.map_or_else(|| of_path(&path(name)), library_of) else {
        return false;
    };
    ["core", "alloc", "std", "lock_api", "parking_lot_core"].contains(&&*library)
        || (TABLE.iter()).any(|wait| of_path(wait.function).as_ref() == Some(&library))
}

/// The crate that a source file is of: `crossbeam_channel` of `crossbeam-channel-0.5.17/src/context.rs`.
fn library_of(file: &str) -> Option<String> {
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    let source = parts.iter().rposition(|&part| part == "src")?;
    let directory = parts.get(source.checked_sub(1)?)?;
    let name = match directory.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => directory,
    };
    Some(name.replace('-', "_"))
}

/// Whether a mangled symbol may be in the table: to demangle all that cannot be takes longer than to look.
pub(super) fn may_be_known(symbol: &str) -> bool {
    TABLE.iter().any(|wait| {
        let named = wait.function.trim_end_matches("::{closure}");
        let mut parts = named.rsplit("::");
        let mut within = || parts.next().is_none_or(|part| symbol.contains(part));
        wait.object != Unknown && within() && within()
    })
}

/// The path of a function without generic arguments: `<std::sync::mpmc::list::Channel<u32>>::recv`,
/// `std::sync::mpmc::list::Channel<T>::recv` and `<std::sync::mpmc::list::Channel::<u32> as X>::recv` are
/// `std::sync::mpmc::list::Channel::recv`.
fn path(name: &str) -> Cow<'_, str> {
    if !name.contains('<') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    if let Some(inner) = name.strip_prefix('<') {
        let Some(end) = closing(inner) else {
            return Cow::Borrowed(name);
        };
        let ty = &inner[..end];
        let ty = outer_as(ty).map_or(ty, |at| &ty[..at]);
        out.push_str(&path(ty.trim_start_matches('&')));
        rest = &inner[end + 1..];
    }
    while let Some(open) = rest.find('<') {
        out.push_str(rest[..open].trim_end_matches("::"));
        let inner = &rest[open + 1..];
        let Some(end) = closing(inner) else {
            rest = "";
            break;
        };
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Where the angle bracket is closed that was opened before this.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            // Not that of `->`.
            '>' if before == '-' => {}
            '>' if depth == 0 => return Some(at),
            '>' => depth -= 1,
            _ => {}
        }
        before = c;
    }
    None
}

/// Where ` as ` stands that is in no angle brackets.
fn outer_as(ty: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in ty.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !ty[..at].ends_with('-') => depth -= 1,
            ' ' if depth == 0 && ty[at..].starts_with(" as ") => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_no_generic_arguments() {
        for (name, plain) in [
            ("pthread_cond_wait", "pthread_cond_wait"),
            ("a::b::C<T>::recv", "a::b::C::recv"),
            ("<a::b::C<u32>>::recv", "a::b::C::recv"),
            ("<a::b::C<fn() -> u8> as d::E<F>>::recv", "a::b::C::recv"),
            (
                "a::C::<T>::recv::<G<H>>::{closure#0}",
                "a::C::recv::{closure#0}",
            ),
            ("a::C<T>::recv::{{closure}}", "a::C::recv::{{closure}}"),
            ("<a::C", "<a::C"),
            ("a::C<T", "a::C"),
        ] {
            assert_eq!(path(name), plain, "{name}");
        }
    }

    #[test]
    fn functions_of_both_manglings_are_known() {
        for (symbol, kind) in [
            (
                "_ZN3std4sync4mpmc4list16Channel$LT$T$GT$4recv17hb1864bae4255e12bE",
                ChannelEmpty,
            ),
            (
                "_RNvMs0_NtNtNtNtCs1cbpOjQgv0Q_3std3sys4sync4once5futexNtB5_4Once4call",
                Once,
            ),
            (
                "_RNvMNtNtNtNtCs1cbpOjQgv0Q_3std3sys4sync7condvar5futexNtB2_7Condvar4wait",
                Condvar,
            ),
            (
                "_ZN3std4sync4mpmc5array16Channel$LT$T$GT$4send28_$u7b$$u7b$closure$u7d$$u7d$17h39b7b062af64b655E",
                ChannelFull,
            ),
        ] {
            let name = format!("{:#}", rustc_demangle::demangle(symbol));
            assert_eq!(
                of_function(&name, None).map(|wait| wait.kind),
                Some(kind),
                "{name}"
            );
            assert!(may_be_known(symbol), "{symbol}");
        }
        assert!(!may_be_known("_ZN6my_app4main17h39b7b062af64b655E"));
        assert_eq!(
            of_function("my_app::mpmc::list::Channel<T>::recv", None),
            None
        );
        assert_eq!(
            of_function("std::sync::mpmc::list::Channel<T>::recv_all", None),
            None
        );
    }

    #[test]
    fn inlined_functions_are_known_by_their_files() {
        let registry = "/r/index.crates.io-1/crossbeam-channel-0.5.17/src/flavors/array.rs";
        for (name, file, kind) in [
            ("send<u32>", registry, Some(ChannelFull)),
            ("recv", registry, Some(ChannelEmpty)),
            ("len", registry, None),
            ("send", "/w/my-channel/src/flavors/array.rs", None),
            (
                "send",
                "/w/crossbeam-channel/src/more/flavors/array.rs",
                None,
            ),
            (
                "blocking_lock<u32>",
                "tokio-1.54.1/src/sync/mutex.rs",
                Some(Lock),
            ),
            (
                "scope",
                "/rustc/1/library/std/src/thread/scoped.rs",
                Some(Scope),
            ),
            ("block_on", "pollster-0.4.0/src/lib.rs", Some(Future)),
        ] {
            let found = of_function(name, Some(file)).map(|wait| wait.kind);
            assert_eq!(found, kind, "{name} {file}");
        }
        assert!(is_of_library("f", Some(registry)));
        assert!(is_of_library("<std::a::B>::f", None));
        assert!(!is_of_library("f", Some("src/main.rs")));
        assert!(!is_of_library("main", None));
    }

    #[test]
    fn self_comes_after_a_pointer_to_the_result() {
        use ValType::I32;
        let recv = "std::sync::mpmc::list::Channel<T>::recv";
        let found = |params: &[ValType], results: &[ValType]| {
            let ty = FuncType::new(params.iter().copied(), results.iter().copied());
            intercepted(recv, &ty).map(|(_, parameter, at)| (parameter, at))
        };
        assert_eq!(found(&[I32, I32, I32], &[]), Some((1, At::Itself)));
        assert_eq!(found(&[I32, I32], &[I32]), Some((0, At::Itself)));
        assert_eq!(found(&[I32], &[]), None);
        let closure = FuncType::new([I32, I32], []);
        for name in [
            "<std::sync::mpmc::list::Channel<u8>>::recv::{closure#0}",
            "std::sync::mpmc::list::Channel<T>::recv::{{closure}}",
        ] {
            let found = intercepted(name, &closure).map(|(_, parameter, at)| (parameter, at));
            assert_eq!(found, Some((0, At::CacheLine)), "{name}");
        }
        let sender = FuncType::new([I32, I32, I32], []);
        let found = intercepted("std::sync::mpsc::SyncSender<T>::send", &sender);
        assert_eq!(
            found.map(|(_, parameter, at)| (parameter, at)),
            Some((1, At::Behind(4)))
        );
    }
}
