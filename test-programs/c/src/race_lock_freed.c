// The memory of locks and other objects races with what ends their lives.
#include "../meeting.h"
#include <semaphore.h>

typedef struct {
    pthread_mutex_t lock;
    int users;
} cell;

static pthread_mutex_t written = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static sem_t assigned;
static meeting here = MEETING;

static void *use(void *arg) {
    cell *shared = arg;
    pthread_mutex_lock(&shared->lock);
    pthread_mutex_lock(&written);
    meet(&here);
    pthread_mutex_unlock(&shared->lock); //~ race(1)
    pthread_mutex_unlock(&written); //~ race(2)
    pthread_cond_signal(&condition); //~ race(3)
    sem_post(&assigned); //~ race(4)
    return 0;
}

int main(void) {
    cell *shared = calloc(1, sizeof *shared);
    pthread_t thread;
    require(pthread_create(&thread, 0, use, shared) == 0);
    meet(&here);
    free(shared); //~ race(1)
    *(volatile int *)&written = 0; //~ race(2)
    pthread_cond_destroy(&condition); //~ race(3)
    *(volatile int *)&assigned = 0; //~ race(4)
    require(pthread_join(thread, 0) == 0);
}
