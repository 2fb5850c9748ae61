// A thread unlocks a mutex that another one holds.
#include "../meeting.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg) {
    pthread_mutex_unlock(&lock); //~ unlock-by-other-thread(1)
    return arg;
}

int main(void) {
    pthread_t thread;
    pthread_mutex_lock(&lock);
    require(pthread_create(&thread, 0, work, 0) == 0);
    pthread_join(thread, 0);
}
