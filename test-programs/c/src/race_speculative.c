// A number is announced before it is written. The compiler loads it in any case and chooses afterwards; it is read where
// it is chosen.
#include "../meeting.h"
#include <stdatomic.h>

static atomic_int ready;
static int number;

__attribute__((noinline)) static int get(void) {
    if (atomic_load(&ready)) //~ race(1)
        return number;
    return -1;
}

static atomic_int announced[2];
static int numbers[2];

// Both are loaded, and chosen among at the end.
__attribute__((noinline)) static int sum(void) {
    return (atomic_load(&announced[0]) ? numbers[0] : 0) + //~ race(2)
           (atomic_load(&announced[1]) ? numbers[1] : 0);
}

static void *reader(void *arg) {
    while (get() == -1) {
    }
    while (sum() == 0) {
    }
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, reader, 0) == 0);
    atomic_store(&ready, 1);
    number = 42; //~ race(1)
    atomic_store(&announced[0], 1);
    numbers[0] = 1; //~ race(2)
    require(pthread_join(thread, 0) == 0);
}
