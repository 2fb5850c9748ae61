// Two threads take two mutexes in opposite order.
#include "../meeting.h"

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static meeting here = MEETING;

static void *work(void *arg) {
    pthread_mutex_lock(&locks[(long)arg]);
    meet(&here);
    pthread_mutex_lock(&locks[1 - (long)arg]); //~ deadlock(1) deadlock(1)
    return arg;
}

int main(void) {
    pthread_t one, two;
    pthread_create(&one, 0, work, (void *)0);
    pthread_create(&two, 0, work, (void *)1);
    pthread_join(one, 0); //~ deadlock(1)
    pthread_join(two, 0);
}
