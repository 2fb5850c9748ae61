// Each thread takes a mutex of its own.
#include "../meeting.h"

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static meeting here = MEETING;
static volatile int sum;

static void *work(void *arg) {
    pthread_mutex_lock(&locks[(long)arg]);
    meet(&here);
    sum++; //~ race(1) race(1)
    pthread_mutex_unlock(&locks[(long)arg]);
    return arg;
}

int main(void) { in_two_threads(work); }
