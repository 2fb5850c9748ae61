// Atomic operations that wasm does not have. The compiler makes a loop of compare-exchange of each, and begins it with a
// plain load, which is no race: if it read something else, so does the first compare-exchange.
#include "../meeting.h"
#include <stdint.h>

static meeting here = MEETING;
static uint32_t least = 1000;
static int64_t greatest = -1000;
static uint8_t bits = 0xff;

static void *work(void *arg) {
    uint32_t number = (uint32_t)(long)arg;
    meet(&here);
    for (uint32_t i = 0; i < 20; i++) {
        __atomic_fetch_min(&least, 500 - 2 * i - number, __ATOMIC_SEQ_CST);
        __atomic_fetch_max(&greatest, (int64_t)(2 * i + number), __ATOMIC_SEQ_CST);
        __atomic_fetch_nand(&bits, (uint8_t)(1u << (i % 8)), __ATOMIC_SEQ_CST);
    }
    return arg;
}

int main(void) {
    in_two_threads(work);
    require(least == 461 && greatest == 39);
}
