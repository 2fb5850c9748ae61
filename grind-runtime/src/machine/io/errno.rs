//! Error numbers.

use serde::{Deserialize, Serialize};
use std::io;

/// Why a call of a guest failed: `errno` of `wasi_snapshot_preview1.witx`, whose number it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u16)]
pub enum Errno {
    /// Argument list too long.
    TooBig = 1,
    /// Permission denied.
    Acces = 2,
    /// Address in use.
    Addrinuse = 3,
    /// Address not available.
    Addrnotavail = 4,
    /// Address family not supported.
    Afnosupport = 5,
    /// Resource unavailable, or it would block.
    Again = 6,
    /// Connection already in progress.
    Already = 7,
    /// Bad file descriptor.
    Badf = 8,
    /// Bad message.
    Badmsg = 9,
    /// Device or resource busy.
    Busy = 10,
    /// Operation cancelled.
    Canceled = 11,
    /// No child processes.
    Child = 12,
    /// Connection aborted.
    Connaborted = 13,
    /// Connection refused.
    Connrefused = 14,
    /// Connection reset.
    Connreset = 15,
    /// Resource deadlock would occur.
    Deadlk = 16,
    /// Destination address required.
    Destaddrreq = 17,
    /// Argument out of the domain of the function.
    Dom = 18,
    /// Disk quota exceeded.
    Dquot = 19,
    /// File exists.
    Exist = 20,
    /// Bad address.
    Fault = 21,
    /// File too large.
    Fbig = 22,
    /// Host is unreachable.
    Hostunreach = 23,
    /// Identifier removed.
    Idrm = 24,
    /// Illegal byte sequence.
    Ilseq = 25,
    /// Operation in progress.
    Inprogress = 26,
    /// Interrupted.
    Intr = 27,
    /// Invalid argument.
    Inval = 28,
    /// Input/output error.
    Io = 29,
    /// Socket is connected.
    Isconn = 30,
    /// Is a directory.
    Isdir = 31,
    /// Too many levels of symbolic links.
    Loop = 32,
    /// Too many open files.
    Mfile = 33,
    /// Too many links.
    Mlink = 34,
    /// Message too large.
    Msgsize = 35,
    /// Reserved.
    Multihop = 36,
    /// File name too long.
    Nametoolong = 37,
    /// Network is down.
    Netdown = 38,
    /// Connection aborted by the network.
    Netreset = 39,
    /// Network unreachable.
    Netunreach = 40,
    /// Too many files open in the system.
    Nfile = 41,
    /// No buffer space available.
    Nobufs = 42,
    /// No such device.
    Nodev = 43,
    /// No such file or directory.
    Noent = 44,
    /// Executable file format error.
    Noexec = 45,
    /// No locks available.
    Nolck = 46,
    /// Reserved.
    Nolink = 47,
    /// Not enough space.
    Nomem = 48,
    /// No message of the desired type.
    Nomsg = 49,
    /// Protocol not available.
    Noprotoopt = 50,
    /// No space left on device.
    Nospc = 51,
    /// Function not supported.
    Nosys = 52,
    /// The socket is not connected.
    Notconn = 53,
    /// Not a directory or a link to one.
    Notdir = 54,
    /// Directory not empty.
    Notempty = 55,
    /// State not recoverable.
    Notrecoverable = 56,
    /// Not a socket.
    Notsock = 57,
    /// Not supported.
    Notsup = 58,
    /// Inappropriate I/O control operation.
    Notty = 59,
    /// No such device or address.
    Nxio = 60,
    /// Value too large.
    Overflow = 61,
    /// Previous owner died.
    Ownerdead = 62,
    /// Operation not permitted.
    Perm = 63,
    /// Broken pipe.
    Pipe = 64,
    /// Protocol error.
    Proto = 65,
    /// Protocol not supported.
    Protonosupport = 66,
    /// Protocol wrong type for socket.
    Prototype = 67,
    /// Result too large.
    Range = 68,
    /// Read-only file system.
    Rofs = 69,
    /// Invalid seek.
    Spipe = 70,
    /// No such process.
    Srch = 71,
    /// Reserved.
    Stale = 72,
    /// Connection timed out.
    Timedout = 73,
    /// Text file busy.
    Txtbsy = 74,
    /// Cross-device link.
    Xdev = 75,
    /// Capabilities insufficient.
    Notcapable = 76,
}

/// What errors of the host are, by kind.
const KINDS: &[(io::ErrorKind, Errno)] = {
    use io::ErrorKind as K;
    &[
        (K::AlreadyExists, Errno::Exist),
        (K::ArgumentListTooLong, Errno::TooBig),
        (K::BrokenPipe, Errno::Pipe),
        (K::CrossesDevices, Errno::Xdev),
        (K::Deadlock, Errno::Deadlk),
        (K::DirectoryNotEmpty, Errno::Notempty),
        (K::ExecutableFileBusy, Errno::Txtbsy),
        (K::FileTooLarge, Errno::Fbig),
        (K::Interrupted, Errno::Intr),
        (K::InvalidFilename, Errno::Nametoolong),
        (K::InvalidInput, Errno::Inval),
        (K::IsADirectory, Errno::Isdir),
        (K::NotADirectory, Errno::Notdir),
        (K::NotFound, Errno::Noent),
        (K::NotSeekable, Errno::Spipe),
        (K::OutOfMemory, Errno::Nomem),
        // What is refused without asking the system, above all a path that leads out of its directory.
        (K::PermissionDenied, Errno::Perm),
        (K::QuotaExceeded, Errno::Dquot),
        (K::ReadOnlyFilesystem, Errno::Rofs),
        (K::ResourceBusy, Errno::Busy),
        (K::StaleNetworkFileHandle, Errno::Stale),
        (K::StorageFull, Errno::Nospc),
        (K::TimedOut, Errno::Timedout),
        (K::TooManyLinks, Errno::Mlink),
        (K::Unsupported, Errno::Notsup),
        (K::WouldBlock, Errno::Again),
    ]
};

/// Those that have no kind of their own in std, or share one.
#[cfg(unix)]
const SYSTEM: &[(rustix::io::Errno, Errno)] = {
    use rustix::io::Errno as E;
    &[
        (E::ACCESS, Errno::Acces),
        (E::BADF, Errno::Badf),
        (E::ISDIR, Errno::Isdir),
        (E::LOOP, Errno::Loop),
        (E::MFILE, Errno::Mfile),
        (E::NFILE, Errno::Nfile),
        (E::NODEV, Errno::Nodev),
        (E::NXIO, Errno::Nxio),
        (E::OVERFLOW, Errno::Overflow),
        (E::PERM, Errno::Perm),
    ]
};

impl From<io::Error> for Errno {
    /// What has no counterpart is [`Errno::Io`].
    fn from(error: io::Error) -> Errno {
        #[cfg(unix)]
        if let Some(system) = rustix::io::Errno::from_io_error(&error)
            && let Some((_, errno)) = SYSTEM.iter().find(|(from, _)| *from == system)
        {
            return *errno;
        }
        let kind = error.kind();
        let known = KINDS.iter().find(|(from, _)| *from == kind);
        known.map_or(Errno::Io, |(_, errno)| *errno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_witx() {
        assert_eq!(Errno::TooBig as u16, 1);
        assert_eq!(Errno::Badf as u16, 8);
        assert_eq!(Errno::Inval as u16, 28);
        assert_eq!(Errno::Nospc as u16, 51);
        assert_eq!(Errno::Notsock as u16, 57);
        assert_eq!(Errno::Spipe as u16, 70);
        assert_eq!(Errno::Notcapable as u16, 76);
    }

    #[test]
    #[cfg(unix)]
    fn errors_of_the_system_keep_their_names() {
        let named = |raw: rustix::io::Errno| Errno::from(io::Error::from(raw));
        use rustix::io::Errno as E;
        assert_eq!(named(E::ACCESS), Errno::Acces);
        assert_eq!(named(E::PERM), Errno::Perm);
        assert_eq!(named(E::LOOP), Errno::Loop);
        assert_eq!(named(E::NOSPC), Errno::Nospc);
        assert_eq!(named(E::NOTEMPTY), Errno::Notempty);
        assert_eq!(named(E::ISDIR), Errno::Isdir);
        assert_eq!(named(E::PROTO), Errno::Io);
        assert_eq!(
            Errno::from(io::Error::new(io::ErrorKind::PermissionDenied, "an escape")),
            Errno::Perm
        );
    }
}
