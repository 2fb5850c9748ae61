// A thread joins the main thread, which joins it.
//@ says: deadlock between T0 main and T1
//@ says: waits for the end of T0 main
#include "../meeting.h"

static void *join(void *of) {
    pthread_join((pthread_t)of, 0); //~ deadlock(1)
    return of;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, join, (void *)pthread_self()) == 0);
    pthread_join(thread, 0); //~ deadlock(1)
}
