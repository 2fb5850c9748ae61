// The main thread returns with a lock that another thread waits for: that ends with the process. The twin of deadlock_lock_of_ended.
#include "../meeting.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg) {
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void) {
    pthread_t thread;
    pthread_mutex_lock(&lock);
    require(pthread_create(&thread, 0, work, 0) == 0);
    require(pthread_detach(thread) == 0);
}
