// Variables with a fixed address, of which reports tell the names: this guest has full debug information.
#include "../meeting.h"

typedef struct {
    int hits, misses;
} counts;

static meeting here = MEETING;
static volatile int total;
static volatile counts table[4];

static void *work(void *arg) {
    static volatile long long calls;
    meet(&here);
    total++; //~ race(1) race(1)
    table[2].misses++; //~ race(2) race(2)
    calls++; //~ race(3) race(3)
    return arg;
}

int main(void) { in_two_threads(work); }
