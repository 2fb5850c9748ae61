//! Functions of the embedder that are given to some threads of the guest only.

use super::{Guest, HostError, HostImport};

/// What a thread of the guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The main thread, or one that the host created.
    Main,
    /// One that the guest created, by itself or by a function of the host.
    Worker,
}

/// A function is given to the main thread as one type and to others as another one, and the module imports it once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the function `{function}` is given as `{main}` to the main thread and as `{worker}` to others, and a module imports it once"
)]
pub struct RoleTypes {
    /// Module and name.
    pub function: String,
    /// Its type for the main thread.
    pub main: String,
    /// Its type for others.
    pub worker: String,
}

impl HostImport {
    /// The function that is one of these for the main thread and the other one for threads that the guest created. Both are for the same
    /// import.
    ///
    /// # Errors
    /// [`RoleTypes`]
    pub(crate) fn by_role(main: HostImport, worker: HostImport) -> Result<HostImport, RoleTypes> {
        if (&main.params, main.result) != (&worker.params, worker.result) {
            return Err(RoleTypes {
                function: format!("{main:?}"),
                main: main.display_type(),
                worker: worker.display_type(),
            });
        }
        let HostImport {
            module,
            name,
            params,
            result,
            function: for_main,
        } = main;
        let for_worker = worker.function;
        let by_role = move |guest: &mut Guest<'_>, args: &[u64]| match guest.role() {
            Role::Main => for_main(guest, args),
            Role::Worker => for_worker(guest, args),
        };
        Ok(HostImport::new(module, name, params, result, by_role))
    }

    /// The same function for threads of this role: a call of any other thread traps, and the reason says so.
    pub(crate) fn only_for(self, role: Role) -> HostImport {
        let why = match role {
            Role::Main => "the main thread, and a thread that the guest created called it",
            Role::Worker => "threads that the guest created, and the main thread called it",
        };
        let why = HostError::new(format!("`{self:?}` is a function for {why}"));
        let HostImport {
            module,
            name,
            params,
            result,
            function,
        } = self;
        let only = move |guest: &mut Guest<'_>, args: &[u64]| match guest.role() == role {
            true => function(guest, args),
            false => Err(why.clone()),
        };
        HostImport::new(module, name, params, result, only)
    }

    /// `(i32, i64) -> i32`
    fn display_type(&self) -> String {
        let params: Vec<String> = self.params.iter().map(ToString::to_string).collect();
        let result = self.result.map_or("()".to_owned(), |ty| ty.to_string());
        format!("({}) -> {result}", params.join(", "))
    }
}
