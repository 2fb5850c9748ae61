// Numbers are read before the flag that announces them. The compiler chooses afterwards whether to use them, so the reads are behind
// the flag only where that is chosen; they were made before.
#include "../meeting.h"
#include <stdatomic.h>

static atomic_int started, flags[3];
static int waited_for, asked_for, counted;
static volatile int wanted = 1, shown;

__attribute__((noinline)) static int wait_for(int chosen) {
    int value = waited_for; //~ race(1)
    while (!atomic_load_explicit(&flags[0], memory_order_acquire)) {
    }
    return chosen ? value : 0;
}

__attribute__((noinline)) static int ask_for(void) {
    int value = asked_for; //~ race(2)
    int is_ready = atomic_load(&flags[1]);
    return is_ready ? value : -1;
}

// It is read once the thread has started; only whether the sum is used depends on the flag.
__attribute__((noinline)) static int count(void) {
    int sum = 0;
    if (atomic_load(&started)) //~ race(3)
        sum += counted * 3;
    return atomic_load(&flags[2]) ? sum : -1;
}

static void *reader(void *arg) {
    atomic_store(&started, 1);
    shown = count();
    shown = ask_for();
    shown = wait_for(wanted);
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, reader, 0) == 0);
    while (!atomic_load(&started)) {
    }
    counted = 1; //~ race(3)
    asked_for = 1; //~ race(2)
    waited_for = 1; //~ race(1)
    atomic_store(&flags[0], 1);
    require(pthread_join(thread, 0) == 0);
    atomic_store(&flags[1], 1);
    atomic_store(&flags[2], 1);
}
