// The twin of the misuse_ guests on lives: objects that end while others have just left them, and begin anew in the same place.
#include "../meeting.h"
#include <semaphore.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all = PTHREAD_COND_INITIALIZER, arrived = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t done;
static int waiting, woken;

typedef struct {
    pthread_mutex_t lock;
    int users;
} cell;

// A lock of a frame, which begins by assignment each time.
__attribute__((noinline)) static int local(int value) {
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    volatile int copy = value;
    pthread_mutex_unlock(&own);
    pthread_mutex_destroy(&own);
    return copy;
}

static void *wait_for_all(void *arg) {
    pthread_mutex_lock(&lock);
    waiting++;
    pthread_cond_signal(&arrived);
    while (!woken)
        pthread_cond_wait(&all, &lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

static void *arrive(void *arg) {
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        pthread_barrier_destroy(&barrier);
    return arg;
}

static void *drop(void *arg) {
    cell *mine = arg;
    pthread_mutex_lock(&mine->lock);
    int left = --mine->users;
    pthread_mutex_unlock(&mine->lock);
    if (left == 0) {
        pthread_mutex_destroy(&mine->lock);
        free(mine);
    }
    return 0;
}

static void *post(void *arg) {
    sem_post(&done);
    return arg;
}

static void *nothing(void *arg) {
    return arg;
}

static void *detach(void *arg) {
    pthread_detach(pthread_self());
    return arg;
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 3; i++)
        require(local(i) == i);

    // By its function, and by an assignment.
    pthread_mutex_destroy(&lock);
    pthread_mutex_init(&lock, 0);
    pthread_mutex_destroy(&lock);
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;

    for (int i = 0; i < 2; i++)
        require(pthread_create(&threads[i], 0, wait_for_all, 0) == 0);
    pthread_mutex_lock(&lock);
    while (waiting < 2)
        pthread_cond_wait(&arrived, &lock);
    woken = 1;
    pthread_cond_broadcast(&all);
    pthread_mutex_unlock(&lock);
    // Those that waited were woken, wherever they are.
    pthread_cond_destroy(&all);
    for (int i = 0; i < 2; i++)
        require(pthread_join(threads[i], 0) == 0);

    require(pthread_barrier_init(&barrier, 0, 2) == 0);
    in_two_threads(arrive);

    for (int round = 0; round < 3; round++) {
        cell *shared = calloc(1, sizeof *shared);
        pthread_mutex_init(&shared->lock, 0);
        shared->users = 2;
        for (int i = 0; i < 2; i++)
            require(pthread_create(&threads[i], 0, drop, shared) == 0);
        for (int i = 0; i < 2; i++)
            require(pthread_join(threads[i], 0) == 0);
    }

    require(sem_init(&done, 0, 0) == 0);
    require(pthread_create(&threads[0], 0, post, 0) == 0);
    require(sem_wait(&done) == 0);
    sem_destroy(&done);
    require(pthread_join(threads[0], 0) == 0);

    // A recursive lock can be taken twice; an attempt is refused, and no misuse.
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_t nested;
    pthread_mutex_init(&nested, &recursive);
    pthread_mutex_lock(&nested);
    pthread_mutex_lock(&nested);
    pthread_mutex_unlock(&nested);
    pthread_mutex_unlock(&nested);
    pthread_mutex_destroy(&nested);
    pthread_mutex_lock(&lock);
    require(pthread_mutex_trylock(&lock) == EBUSY);
    pthread_mutex_unlock(&lock);

    // Handles are addresses of memory that is used again.
    for (int i = 0; i < 4; i++) {
        require(pthread_create(&threads[0], 0, detach, 0) == 0);
        require(pthread_create(&threads[1], 0, nothing, 0) == 0);
        require(pthread_join(threads[1], 0) == 0);
        sleep(1);
    }
}
