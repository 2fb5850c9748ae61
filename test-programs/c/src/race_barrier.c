// After the barrier both threads write to the same place.
#include "../meeting.h"

static pthread_barrier_t barrier;
static volatile int place;

static void *work(void *arg) {
    pthread_barrier_wait(&barrier);
    place++; //~ race(1) race(1)
    return arg;
}

int main(void) {
    require(pthread_barrier_init(&barrier, 0, 2) == 0);
    in_two_threads(work);
}
