// A thread ends with the lock that main wants.
//@ says: deadlock: T0 main waits for a lock whose holder has ended
//@ says: T0 main waits for lock 0x… `lock`, held by T1 (which has ended)
#include "../meeting.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg) {
    pthread_mutex_lock(&lock); //~ lock-held-at-thread-end(1)
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, work, 0) == 0);
    require(pthread_join(thread, 0) == 0);
    pthread_mutex_lock(&lock); //~ deadlock(1)
}
