//! Functions of a namespace: some for all threads, some by role.

use crate::host::Linker;
use crate::program::embedder::{HostImport, Role, RoleTypes};
use threadlink::abi;

#[derive(Debug, Default)]
pub(super) struct Functions {
    of_all: Linker,
    of_main: Linker,
    of_workers: Linker,
}

impl Functions {
    /// Adds functions, for the threads of a role or for all.
    pub(super) fn add(
        &mut self,
        role: Option<Role>,
        imports: impl IntoIterator<Item = HostImport>,
    ) {
        for import in imports {
            let of_role = match role {
                // By these any thread takes what came of its calls.
                _ if import.module == abi::MODULE => &mut self.of_all,
                None => &mut self.of_all,
                Some(Role::Main) => &mut self.of_main,
                Some(Role::Worker) => &mut self.of_workers,
            };
            of_role.define(import);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        [&self.of_all, &self.of_main, &self.of_workers]
            .into_iter()
            .all(Linker::is_empty)
    }

    /// The same, with others for all threads where there is none of that name for all.
    pub(super) fn before(mut self, others: &[HostImport]) -> Functions {
        let mut of_all = Linker::new();
        let own = std::mem::take(&mut self.of_all).into_imports();
        for import in others.iter().cloned().chain(own) {
            of_all.define(import);
        }
        self.of_all = of_all;
        self
    }

    /// One function for each import.
    ///
    /// # Errors
    /// [`RoleTypes`]
    pub(super) fn into_imports(self) -> Result<Vec<HostImport>, RoleTypes> {
        let mut merged = Linker::new();
        for import in self.of_all.imports() {
            merged.define(import.clone());
        }
        for import in self
            .of_main
            .imports()
            .iter()
            .chain(self.of_workers.imports())
        {
            let of_role = |linker: &Linker, role| {
                let own = linker.named_as(import);
                (own.or_else(|| self.of_all.named_as(import)).cloned())
                    .unwrap_or_else(|| import.clone().only_for(other(role)))
            };
            let main = of_role(&self.of_main, Role::Main);
            let worker = of_role(&self.of_workers, Role::Worker);
            merged.define(HostImport::by_role(main, worker)?);
        }
        Ok(merged.into_imports())
    }
}

fn other(role: Role) -> Role {
    match role {
        Role::Main => Role::Worker,
        Role::Worker => Role::Main,
    }
}
