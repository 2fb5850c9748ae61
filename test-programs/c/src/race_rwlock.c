// A number is written to under a lock for reading.
#include "../meeting.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static meeting here = MEETING;
static volatile int sum;

static void *work(void *arg) {
    pthread_rwlock_rdlock(&lock);
    meet(&here);
    sum++; //~ race(1) race(1)
    pthread_rwlock_unlock(&lock);
    return arg;
}

int main(void) { in_two_threads(work); }
