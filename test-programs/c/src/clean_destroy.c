// The twin of misuse_destroy: nobody holds the mutex any more, and after the destruction it begins anew.
#include "../meeting.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg) {
    pthread_mutex_destroy(&lock);
    require(pthread_mutex_init(&lock, 0) == 0);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

int main(void) {
    pthread_t thread;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    require(pthread_create(&thread, 0, work, 0) == 0);
    pthread_join(thread, 0);
    pthread_mutex_destroy(&lock);
}
