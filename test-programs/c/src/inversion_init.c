// Two threads take two mutexes in opposite order, one after the other: no schedule deadlocks.
#include "../meeting.h"
#include <stdatomic.h>

static pthread_mutex_t first, second;
static atomic_int turn;

static void both(pthread_mutex_t *outer, pthread_mutex_t *inner) {
    pthread_mutex_lock(outer);
    pthread_mutex_lock(inner); //~ lock-order-inversion(1) lock-order-inversion(1)
    pthread_mutex_unlock(inner);
    pthread_mutex_unlock(outer);
}

static void *work(void *me) {
    while (turn != (int)me) {
    }
    if (me) {
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
    in_two_threads(work);
}
