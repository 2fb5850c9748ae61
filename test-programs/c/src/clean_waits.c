// The twin of `deadlock_waits`: what the threads wait for happens.
#include "../meeting.h"
#include <semaphore.h>

static sem_t items;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;

static void *consume(void *arg) {
    sem_wait(&items);
    sem_wait(&items);
    return arg;
}

static void *arrive(void *arg) {
    pthread_barrier_wait(&barrier);
    return arg;
}

static void initialise(void) {
    sem_wait(&items);
    initialised = 1;
}

static void *use(void *arg) {
    pthread_once(&once, initialise);
    require(initialised);
    return arg;
}

int main(void) {
    void *(*work[])(void *) = {consume, arrive, use, use};
    pthread_t threads[4];
    require(sem_init(&items, 0, 0) == 0);
    require(pthread_barrier_init(&barrier, 0, 2) == 0);
    for (int i = 0; i < 4; i++)
        require(pthread_create(&threads[i], 0, work[i], 0) == 0);
    for (int i = 0; i < 3; i++)
        require(sem_post(&items) == 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 4; i++)
        require(pthread_join(threads[i], 0) == 0);
}
