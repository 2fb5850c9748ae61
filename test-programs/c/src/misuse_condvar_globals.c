// A wait with a lock that the thread does not hold: both have names.
//@ says: T0 main waited on the condition variable 0x… `changed` without holding the lock 0x… `lock`
#include "../meeting.h"
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

int main(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    pthread_cond_timedwait(&changed, &lock, &at); //~ condvar-wait-without-lock(1)
}
