// The first thread looks at what a detached one writes, without knowing whether it has.
#include "../meeting.h"

static meeting here = MEETING;
static volatile int number;

static void *work(void *arg) {
    pthread_detach(pthread_self());
    meet(&here);
    number = 1; //~ race(1)
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, work, 0) == 0);
    meet(&here);
    while (!number) //~ race(1)
        sched_yield();
}
