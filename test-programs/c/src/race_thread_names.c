// Threads that are named, by themselves and by who created them. wasi-libc has no such functions; what is called so here does
// nothing, as in libraries that have them for the sake of the interface.
//@ says: T1 `by itself`
//@ says: T2 `by another`
#include "../meeting.h"

__attribute__((noinline)) int pthread_setname_np(pthread_t thread, const char *name) {
    __asm__ volatile("" : : "r"(thread), "r"(name) : "memory");
    return 0;
}

static meeting named = MEETING, here = MEETING;
static int count;

static void *first(void *arg) {
    pthread_setname_np(pthread_self(), "by itself");
    meet(&here);
    count++; //~ race(1)
    return arg;
}

static void *second(void *arg) {
    meet(&named);
    meet(&here);
    count++; //~ race(1)
    return arg;
}

int main(void) {
    pthread_t threads[2];
    require(pthread_create(&threads[0], 0, first, 0) == 0);
    require(pthread_create(&threads[1], 0, second, 0) == 0);
    pthread_setname_np(threads[1], "by another");
    meet(&named);
    for (int i = 0; i < 2; i++)
        require(pthread_join(threads[i], 0) == 0);
}
