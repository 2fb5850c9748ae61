// A lock is used after its block was freed, in an order that an atomic flag gives: by another thread, and by the only one.
#include "../meeting.h"
#include <sched.h>
#include <stdatomic.h>

typedef struct {
    pthread_mutex_t lock;
    int value;
} cell;

static _Atomic int gone;

static void *use(void *arg) {
    cell *shared = arg;
    while (!atomic_load(&gone))
        sched_yield();
    pthread_mutex_trylock(&shared->lock); //~ heap-use-after-free(1)
    return 0;
}

int main(void) {
    cell *own = calloc(1, sizeof *own);
    pthread_mutex_init(&own->lock, 0);
    pthread_mutex_destroy(&own->lock);
    free(own); //~ heap-use-after-free(2)
    pthread_mutex_trylock(&own->lock); //~ heap-use-after-free(2)

    cell *shared = calloc(1, sizeof *shared);
    pthread_mutex_init(&shared->lock, 0);
    pthread_t thread;
    require(pthread_create(&thread, 0, use, shared) == 0);
    pthread_mutex_lock(&shared->lock);
    shared->value++;
    pthread_mutex_unlock(&shared->lock);
    pthread_mutex_destroy(&shared->lock);
    free(shared); //~ heap-use-after-free(1)
    atomic_store(&gone, 1);
    require(pthread_join(thread, 0) == 0);
}
