// The twin of inversion_init: between the turns, the memory becomes other mutexes, one of which was left taken (by the main thread, which may).
#include "../meeting.h"
#include <stdatomic.h>
#include <string.h>

static pthread_mutex_t first, second;
static atomic_int turn;

static void both(pthread_mutex_t *outer, pthread_mutex_t *inner) {
    pthread_mutex_lock(outer);
    pthread_mutex_lock(inner);
    if (turn) {
        pthread_mutex_unlock(inner);
    }
    pthread_mutex_unlock(outer);
}

static void *work(void *me) {
    while (turn != (int)me) {
    }
    if (me) {
        // As if it had been something else meanwhile: a mutex that is held must not be initialised.
        memset(&second, 0, sizeof second);
        pthread_mutex_init(&first, 0);
        pthread_mutex_init(&second, 0);
        both(&second, &first);
    } else {
        both(&first, &second);
    }
    turn++;
    return 0;
}

int main(void) {
    pthread_mutex_init(&first, 0);
    pthread_mutex_init(&second, 0);
    pthread_t thread;
    require(pthread_create(&thread, 0, work, (void *)1) == 0);
    work(0);
    require(pthread_join(thread, 0) == 0);
}
