// A thread that waits for itself while others go on, and a barrier that is destroyed while a thread waits at it.
#include "../meeting.h"
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;

static void *relock(void *arg) {
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&lock); //~ relock(1)
    return arg;
}

static void *arrive(void *arg) {
    pthread_barrier_wait(&barrier);
    return arg;
}

int main(void) {
    pthread_t thread;
    require(pthread_create(&thread, 0, relock, 0) == 0);
    require(pthread_detach(thread) == 0);
    require(pthread_barrier_init(&barrier, 0, 2) == 0);
    require(pthread_create(&thread, 0, arrive, 0) == 0);
    require(pthread_detach(thread) == 0);
    sleep(1);
    pthread_barrier_destroy(&barrier); //~ destroy-in-use(2)
}
