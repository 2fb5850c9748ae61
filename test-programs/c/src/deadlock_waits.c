// Each thread waits for something that no thread is left to do: a semaphore, a barrier, and what is initialised once by a
// thread that waits for main.
//@ says: T1 waits for the semaphore 0x… `items`; T0 main could post it, but waits as well
//@ says: T2 waits at the barrier 0x… `barrier`; no thread is left that could come to it
//@ says: T4 waits for the initialisation of 0x… `once`, which T3 makes
#include "../meeting.h"
#include <semaphore.h>

static sem_t items;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static meeting here = MEETING;

static void *consume(void *arg) {
    sem_wait(&items);
    sem_wait(&items); //~ deadlock(1)
    return arg;
}

static void *arrive(void *arg) {
    pthread_barrier_wait(&barrier); //~ deadlock(1)
    return arg;
}

static void initialise(void) {
    meet(&here);
    sem_wait(&items); //~ deadlock(1)
}

static void *first(void *arg) {
    pthread_once(&once, initialise);
    return arg;
}

static void *second(void *arg) {
    meet(&here);
    pthread_once(&once, initialise); //~ deadlock(1)
    return arg;
}

int main(void) {
    void *(*work[])(void *) = {consume, arrive, first, second};
    pthread_t threads[4];
    require(sem_init(&items, 0, 0) == 0);
    require(pthread_barrier_init(&barrier, 0, 2) == 0);
    require(sem_post(&items) == 0);
    require(pthread_create(&threads[0], 0, work[0], 0) == 0);
    int left = 1;
    while (left)
        sem_getvalue(&items, &left);
    for (int i = 1; i < 4; i++)
        require(pthread_create(&threads[i], 0, work[i], 0) == 0);
    for (int i = 0; i < 4; i++)
        require(pthread_join(threads[i], 0) == 0); //~ deadlock(1)
}
