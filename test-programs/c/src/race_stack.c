// Variables on the stack of the main thread and on that of another one, which a third knows.
#include "../meeting.h"

static meeting here = MEETING, there = MEETING;

static void *borrow(void *arg) {
    volatile int *theirs = arg;
    meet(&there);
    *theirs += 1; //~ race(2)
    return 0;
}

static void *lend(void *arg) {
    volatile int *mains = arg;
    volatile int own = 0;
    pthread_t thread;
    meet(&here);
    *mains += 1; //~ race(1)
    require(pthread_create(&thread, 0, borrow, (void *)&own) == 0);
    meet(&there);
    own += 1; //~ race(2)
    pthread_join(thread, 0);
    return 0;
}

int main(void) {
    volatile int own = 0;
    pthread_t thread;
    require(pthread_create(&thread, 0, lend, (void *)&own) == 0);
    meet(&here);
    own += 1; //~ race(1)
    pthread_join(thread, 0);
}
