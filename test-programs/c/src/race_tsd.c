// Two threads put the same block into their thread-specific data, and write to it.
#include "../meeting.h"

static pthread_key_t key;
static meeting here = MEETING;
static int block;

static void *work(void *arg) {
    pthread_setspecific(key, &block);
    volatile int *mine = pthread_getspecific(key);
    meet(&here);
    ++*mine; //~ race(1) race(1)
    return arg;
}

int main(void) {
    require(pthread_key_create(&key, 0) == 0);
    in_two_threads(work);
}
