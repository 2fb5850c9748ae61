//! An alarm in virtual time for the driver of a machine.
//!
//! Where threads run, the machine comes back at the first place behind the alarm at which its driver can act. Where all threads wait
//! and no deadline is earlier, time passes to the alarm, and wakes nobody: that is an act ([`DriverAct::ElapseTo`]), for a repeated run
//! has no alarm. Coming back is none.

use super::acts::ActError;
use super::io::DriverAct;
use super::run::Machine;
use super::state::State;

impl Machine {
    /// Virtual time: nanoseconds since the run began.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.engine.state().clock.now()
    }

    /// Lets the machine come back ([`Pause::Alarm`](super::Pause::Alarm)) when virtual time has come to this point (nanoseconds since the run
    /// began), or at once if it has passed. There is one alarm: it takes the place of an earlier one, and `None` of all.
    ///
    /// In a run that is driven [from outside](crate::model::Driven::FromOutside), time passes beyond the alarm where all threads wait for
    /// nothing but time.
    pub fn set_alarm(&mut self, at: Option<u64>) {
        self.engine.state_mut().alarm = at;
    }

    /// When it comes back, if it was told to.
    pub(crate) fn alarm(&self) -> Option<u64> {
        self.engine.state().alarm
    }

    /// Events so far.
    pub(crate) fn events(&self) -> u64 {
        self.engine.state().events
    }

    /// The next deadline of a thread, if one waits for any.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.engine.state().clock.next()
    }

    /// Lets virtual time pass to this point, where no thread can go on before.
    ///
    /// # Errors
    /// [`ActError::NotThen`] if a thread can, or if that is in the past.
    pub fn elapse_to(&mut self, until: u64) -> Result<(), ActError> {
        self.act(DriverAct::ElapseTo { until }).map(drop)
    }

    /// Lets time pass to the alarm, if that is before this deadline. Returns whether it has.
    pub(super) fn passes_to_the_alarm(&mut self, deadline: Option<u64>) -> bool {
        let state = self.engine.state();
        let alarm = state
            .alarm
            .filter(|&at| deadline.is_none_or(|then| at < then));
        // While calls are in flight it is for whoever waits for them to let time pass.
        let calls = state.in_flight.as_ref().is_some_and(|calls| calls.any());
        let Some(at) = alarm.filter(|_| state.outside() && state.ending.is_none() && !calls) else {
            return false;
        };
        // It is refused only where a thread could go on.
        self.elapse_to(at).is_ok() && self.engine.state_mut().take_alarm()
    }
}

impl State {
    /// Whether virtual time has come to the alarm.
    pub(super) fn alarm_is_reached(&self) -> bool {
        self.alarm.is_some_and(|at| self.clock.now() >= at)
    }

    /// The same, and it is told.
    pub(super) fn take_alarm(&mut self) -> bool {
        let reached = self.alarm_is_reached();
        if reached {
            self.alarm = None;
        }
        reached
    }
}
