// Each thread writes to a place of its own, and after the barrier reads all.
//@ stdout: 3
#include "../meeting.h"
#include <stdio.h>

static pthread_barrier_t barrier;
static int places[2], first;

static void *work(void *arg) {
    for (int round = 1; round <= 3; round++) {
        places[(long)arg] = round;
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            first++;
        require(places[0] == round && places[1] == round);
        pthread_barrier_wait(&barrier);
    }
    return arg;
}

int main(void) {
    require(pthread_barrier_init(&barrier, 0, 2) == 0);
    in_two_threads(work);
    pthread_barrier_destroy(&barrier);
    printf("%d\n", first);
}
