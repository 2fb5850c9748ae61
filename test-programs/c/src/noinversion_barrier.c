// The twin of inversion_init with a barrier: both take the mutexes in one order, meet, and take them in the other.
#include "../meeting.h"

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static int count;

static void both(pthread_mutex_t *outer, pthread_mutex_t *inner) {
    pthread_mutex_lock(outer);
    pthread_mutex_lock(inner);
    count++;
    pthread_mutex_unlock(inner);
    pthread_mutex_unlock(outer);
}

static void *work(void *me) {
    for (int round = 0; round < 3; round++) {
        both(&first, &second);
        pthread_barrier_wait(&barrier);
        both(&second, &first);
        pthread_barrier_wait(&barrier);
    }
    return me;
}

int main(void) {
    require(pthread_barrier_init(&barrier, 0, 2) == 0);
    in_two_threads(work);
    require(count == 12);
}
