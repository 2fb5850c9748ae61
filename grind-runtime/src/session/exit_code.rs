//! The exit codes of `grind`, for scripts and CI.

/// What a `grind` process exits with, where it is not the guest's own exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum ExitCode {
    /// The command line, or the settings, make no sense.
    Usage = 2,
    /// A run differs from its trace, or two traces from each other.
    Diverged = 65,
    /// There are findings.
    Findings = 66,
    /// A trace ends before the run that it is of.
    Truncated = 67,
    /// The run was ended by a limit on its time or its steps.
    Timeout = 124,
    /// grind itself failed.
    Failure = 125,
    /// The module cannot be run (not wasm, invalid, imports that nobody provides, no entry), or another named file is not what it is
    /// used as: no trace, no report, a directory.
    Unfit = 126,
    /// The module or another named file does not exist.
    NotFound = 127,
    /// SIGHUP ended grind.
    Hangup = 129,
    /// SIGINT (Ctrl-C) ended grind.
    Interrupted = 130,
    /// A thread of the guest trapped.
    Trap = 134,
    /// SIGTERM ended grind.
    Terminated = 143,
}

impl ExitCode {
    /// Every code, ascending.
    pub const ALL: [ExitCode; 12] = [
        ExitCode::Usage,
        ExitCode::Diverged,
        ExitCode::Findings,
        ExitCode::Truncated,
        ExitCode::Timeout,
        ExitCode::Failure,
        ExitCode::Unfit,
        ExitCode::NotFound,
        ExitCode::Hangup,
        ExitCode::Interrupted,
        ExitCode::Trap,
        ExitCode::Terminated,
    ];

    /// Whether it says that a run was stopped from outside: by its time-out, or by a signal.
    #[must_use]
    pub const fn is_stop(self) -> bool {
        matches!(
            self,
            ExitCode::Timeout | ExitCode::Hangup | ExitCode::Interrupted | ExitCode::Terminated
        )
    }

    /// Of what two runs exit with, the one to tell; the first of two that are alike.
    #[must_use]
    pub fn worse(a: u8, b: u8) -> u8 {
        let rank = |code: u8| match code {
            0 => 0,
            c if c == ExitCode::Trap.code() => 3,
            c if c == ExitCode::Timeout.code() => 2,
            _ => 1,
        };
        if rank(b) > rank(a) { b } else { a }
    }

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, in a line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            ExitCode::Usage => "the command line, or the settings, make no sense",
            ExitCode::Diverged => "a run differs from its trace",
            ExitCode::Findings => "there are findings",
            ExitCode::Truncated => "a trace ends before the run that it is of",
            ExitCode::Timeout => "the run was ended by a limit on its time or its steps",
            ExitCode::Failure => "grind itself failed",
            ExitCode::Unfit => {
                "the module cannot be run, or another file is not what it is used as"
            }
            ExitCode::NotFound => "a file that was named does not exist",
            ExitCode::Hangup => "SIGHUP ended grind; what was found until then is reported",
            ExitCode::Interrupted => {
                "Ctrl-C (SIGINT) ended grind; what was found until then is reported"
            }
            ExitCode::Trap => "a thread of the guest trapped",
            ExitCode::Terminated => "SIGTERM ended grind; what was found until then is reported",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_exit_code_is_told() {
        for (codes, told) in [
            (&[0, 3, 4][..], 3),
            (&[0, 124, 3], 124),
            (&[124, 134, 0], 134),
            (&[0, 0], 0),
        ] {
            assert_eq!(codes.iter().copied().fold(0, ExitCode::worse), told);
        }
    }
}
