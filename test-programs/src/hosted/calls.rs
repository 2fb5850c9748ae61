//! Calls of asynchronous functions of the host as futures, and asynchronous functions of the guest that the host awaits: see
//! `grind-runtime/tests/host_calls.rs`.

use threadlink::host::{self, Call, CallError, call_async};
use threadlink::task;

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    #[link_name = "[async]double"]
    safe fn double(number: u32, call: Call);
    #[link_name = "[async]fail"]
    safe fn fail(call: Call);
    #[link_name = "[async]fill"]
    fn fill(buffer: *mut u8, len: usize, call: Call);
    #[link_name = "[async]never"]
    safe fn never(call: Call);
    /// The blocking one.
    #[link_name = "double"]
    safe fn double_and_wait(number: u32) -> u32;
}

async fn run() -> Result<(), CallError> {
    // Both are in flight at once.
    let one = call_async::<u32>(|call| double(1, call))?;
    let two = call_async::<u32>(|call| double(2, call))?;
    threadlink::println!("{} {}", two.await?, one.await?);
    let failed = call_async::<()>(|call| fail(call))?.await;
    threadlink::println!("{}", failed.expect_err("it fails"));
    let mut buffer = [0; 5];
    let len = buffer.len();
    // SAFETY: the buffer lives until the call is done.
    let filled = call_async::<u32>(|call| unsafe { fill(buffer.as_mut_ptr(), len, call) })?;
    threadlink::println!("{} bytes: {buffer:?}", filled.await?);
    threadlink::println!("{}", double_and_wait(4));
    Ok(())
}

/// Sums the doubles of all numbers below `count`, which are in flight at once.
#[unsafe(no_mangle)]
pub extern "C" fn sum_of_doubles(count: u32, call: Call) {
    host::resolve(call, async move {
        let calls: Vec<_> = (0..count)
            .map(|number| call_async::<u32>(|call| double(number, call)))
            .collect();
        let mut sum = 0.0;
        for call in calls {
            match call {
                Ok(call) => sum += f64::from(call.await.unwrap_or(0)),
                Err(_) => return -1.0,
            }
        }
        sum
    });
}

/// Waits for ever.
#[unsafe(no_mangle)]
pub extern "C" fn wait_for_ever(call: Call) {
    host::resolve(call, async {
        if let Ok(call) = call_async::<()>(|call| never(call)) {
            drop(call.await);
        }
    });
}

/// Gives up calls that never end, that are in flight, and that are done. What one of these wrote would be in the result.
#[unsafe(no_mangle)]
pub extern "C" fn gives_up(call: Call) {
    host::resolve(call, async {
        let mut buffer = [0_u8; 5];
        let (start, len) = (buffer.as_mut_ptr(), buffer.len());
        drop(call_async::<()>(|call| never(call)));
        // SAFETY: the buffer lives longer than all calls.
        drop(call_async::<u32>(|call| unsafe { fill(start, len, call) }));
        drop(call_async::<u32>(|call| double(3, call)));
        for _ in 0..10 {
            match call_async::<u32>(|call| double(1, call)) {
                Ok(call) => drop(call.await),
                Err(_) => return 1,
            }
        }
        buffer.iter().map(|&byte| u32::from(byte)).sum::<u32>()
    });
}

/// Does not say what it came to.
#[unsafe(no_mangle)]
pub extern "C" fn says_nothing(_: Call) {}

/// Under `block_on` nobody calls in.
#[unsafe(no_mangle)]
pub extern "C" fn under_block_on() -> u32 {
    let called = task::block_on(async { call_async::<u32>(|call| double(1, call)).map(drop) });
    u32::from(called == Ok(Err(CallError::NoHost)))
}

fn main() {
    let done = task::run_async_main(async {
        if let Err(error) = run().await {
            threadlink::println!("{error}");
        }
    });
    drop(done);
}

threadlink::main!(main);
threadlink::export_poll!();
