//! Arguments and environment.

use super::{Ctx, Done, Errno, HostFn, offset, quiet, reply};

pub(super) const FUNCTIONS: &[HostFn] = &[
    quiet("args_get", |ctx, a| {
        let strings = ctx.state.args.clone();
        reply(list(ctx, &strings, a[0] as u32, a[1] as u32))
    }),
    quiet("args_sizes_get", |ctx, a| {
        let sizes = sizes(&ctx.state.args);
        reply(write_sizes(ctx, sizes, a[0] as u32, a[1] as u32))
    }),
    quiet("environ_get", |ctx, a| {
        let strings = ctx.state.env.clone();
        reply(list(ctx, &strings, a[0] as u32, a[1] as u32))
    }),
    quiet("environ_sizes_get", |ctx, a| {
        let sizes = sizes(&ctx.state.env);
        reply(write_sizes(ctx, sizes, a[0] as u32, a[1] as u32))
    }),
];

/// `strings` as NUL-terminated bytes at `bytes`, their addresses at `pointers`.
fn list(ctx: &mut Ctx<'_>, strings: &[Vec<u8>], pointers: u32, bytes: u32) -> Done {
    let (mut pointer, mut at) = (pointers, bytes);
    for string in strings {
        ctx.write_u32(pointer, at)?;
        ctx.write(at, string)?;
        let len = u32::try_from(string.len()).map_err(|_| Errno::Fault)?;
        let end = offset(at, len)?;
        ctx.write(end, &[0])?;
        at = offset(end, 1)?;
        pointer = offset(pointer, 4)?;
    }
    Ok(())
}

fn sizes(strings: &[Vec<u8>]) -> (u32, u32) {
    let bytes: usize = strings.iter().map(|string| string.len() + 1).sum();
    (strings.len() as u32, bytes as u32)
}

fn write_sizes(
    ctx: &mut Ctx<'_>,
    (count, bytes): (u32, u32),
    count_out: u32,
    bytes_out: u32,
) -> Done {
    ctx.write_u32(count_out, count)?;
    Ok(ctx.write_u32(bytes_out, bytes)?)
}
