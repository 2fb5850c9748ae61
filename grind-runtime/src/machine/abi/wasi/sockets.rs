//! Sockets, of which there are none: nothing in preview 1 makes one.

use super::{Ctx, Errno, HostFn, reply, sync};
use crate::machine::ops::Reply;

pub(super) const FUNCTIONS: &[HostFn] = &[
    sync("sock_accept", no_socket),
    sync("sock_recv", no_socket),
    sync("sock_send", no_socket),
    sync("sock_shutdown", no_socket),
];

fn no_socket(ctx: &mut Ctx<'_>, a: &[u64]) -> Reply {
    let open = ctx.state.descriptors.get(a[0]);
    reply(open.and(Err(Errno::Notsock)))
}
