//! What grind reads: modules, traces, reports, and what guests read.

pub(crate) mod module;
pub(crate) mod seed_io;
pub(crate) mod stored;
pub(crate) mod text;
pub(crate) mod trace_file;
